import { hash, randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestScope } from '@bugless/auth-sql/testing';

/** An account of a provider without OpenID Connect, in GitHub's shape. */
export interface OauthAccount {
  readonly id: number | string;
  readonly login: string;
  readonly name: string | null;
  readonly avatar_url?: string;
  readonly emails: readonly { readonly email: string; readonly primary: boolean; readonly verified: boolean }[];
  readonly orgs: readonly { readonly login: string }[];
}

/** A running provider: `/authorize` lets everybody in at once as {@link OauthProvider.account}. */
export interface OauthProvider {
  readonly origin: string;
  account: OauthAccount;
  /** What stands in the next answers, by path: a status, or `'hang'` for none at all. */
  readonly faults: Map<string, number | 'hang'>;
  /** Requests seen, `METHOD /path`. */
  readonly seen: string[];
}

interface Grant {
  readonly challenge: string;
  readonly redirectUri: string;
  readonly account: OauthAccount;
}

async function readForm(request: IncomingMessage): Promise<URLSearchParams> {
  let text = '';
  for await (const chunk of request) text += chunk;
  return new URLSearchParams(text);
}

function answer(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json; charset=utf-8' }).end(JSON.stringify(body));
}

/** Starts a provider of GitHub's shape: codes with PKCE, opaque tokens, `/user`, `/user/emails`, `/user/orgs`; errors with status 200. */
export async function startOauthProvider(
  t: TestScope,
  client: { id: string; secret: string },
  account: OauthAccount,
): Promise<OauthProvider> {
  const codes = new Map<string, Grant>();
  const tokens = new Map<string, OauthAccount>();
  const faults = new Map<string, number | 'hang'>();
  const seen: string[] = [];

  function authorize(url: URL, response: ServerResponse): void {
    const code = randomBytes(10).toString('hex');
    const read = (name: string) => url.searchParams.get(name) ?? '';
    codes.set(code, {
      challenge: read('code_challenge'),
      redirectUri: read('redirect_uri'),
      account: provider.account,
    });
    const back = new URL(read('redirect_uri'));
    back.searchParams.set('code', code);
    back.searchParams.set('state', read('state'));
    response.writeHead(302, { location: back.href }).end();
  }

  async function exchange(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const form = await readForm(request);
    const grant = codes.get(form.get('code') ?? '');
    codes.delete(form.get('code') ?? '');
    const proved = hash('sha256', form.get('code_verifier') ?? '', 'base64url') === grant?.challenge;
    const known = form.get('client_id') === client.id && form.get('client_secret') === client.secret;
    if (!known || !grant || !proved || form.get('redirect_uri') !== grant.redirectUri) {
      return answer(response, 200, { error: 'bad_verification_code', error_description: 'The code is incorrect.' });
    }
    const token = `gho_${randomBytes(18).toString('hex')}`;
    tokens.set(token, grant.account);
    answer(response, 200, { access_token: token, token_type: 'bearer', scope: 'read:user,user:email' });
  }

  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', provider.origin);
    seen.push(`${request.method} ${url.pathname}`);
    const fault = faults.get(url.pathname);
    if (fault === 'hang') return;
    if (fault !== undefined) return answer(response, fault, { message: 'fault' });
    if (url.pathname === '/authorize') return authorize(url, response);
    if (url.pathname === '/token') return void exchange(request, response);
    const owner = tokens.get((request.headers.authorization ?? '').replace(/^bearer /i, ''));
    if (!owner || request.headers['user-agent'] === undefined)
      return answer(response, 401, { message: 'Bad credentials' });
    const { emails, orgs, ...user } = owner;
    const bodies: Readonly<Record<string, unknown>> = {
      // As GitHub: no address here while the person keeps it private.
      '/user': { ...user, email: null },
      '/user/emails': emails,
      '/user/orgs': orgs,
    };
    const body = bodies[url.pathname];
    return body === undefined ? answer(response, 404, { message: 'Not Found' }) : answer(response, 200, body);
  });
  const provider: OauthProvider & { origin: string } = { origin: '', account, faults, seen };
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  provider.origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return provider;
}
