import { type Authenticator, createSystemContext, UserState } from '../../service/index.ts';
import { instead, type Mutant } from './mutant.ts';

type Complete = Authenticator['completeBrowserLogin'];

/** Authenticators whose browser logins break one rule each; to be caught they need a browser that plays along. */
export const BROWSER_MUTANTS: readonly Mutant<Authenticator>[] = [
  {
    name: 'accepts a callback again',
    caughtBy: 'browser: a callback counts once',
    change: (good) => {
      const answers = new Map<string, Awaited<ReturnType<Complete>>>();
      return {
        completeBrowserLogin: async (request, context) => {
          const key = request.callbackUrl ?? '';
          const answer = answers.get(key) ?? (await good.completeBrowserLogin(request, context));
          answers.set(key, answer);
          return answer;
        },
      };
    },
  },
  {
    name: 'accepts a callback in another browser',
    caughtBy: 'browser: a callback counts in its own browser',
    change: (good) => {
      const bindings = new Map<string, string>();
      return {
        beginBrowserLogin: async (request, context) => {
          const answer = await good.beginBrowserLogin(request, context);
          bindings.set(new URL(answer.url).searchParams.get('state') ?? '', request.binding ?? '');
          return answer;
        },
        completeBrowserLogin: (request, context) => {
          const state = new URL(request.callbackUrl ?? '').searchParams.get('state') ?? '';
          return good.completeBrowserLogin({ ...request, binding: bindings.get(state) ?? request.binding }, context);
        },
      };
    },
  },
  {
    name: 'accepts a callback of another connection',
    caughtBy: 'browser: a callback counts for its own connection',
    change: (good) => {
      const begun = new Map<string, { connection: string; redirectUri: string }>();
      return {
        beginBrowserLogin: async (request, context) => {
          const answer = await good.beginBrowserLogin(request, context);
          const { connection = '', redirectUri = '' } = request;
          begun.set(new URL(answer.url).searchParams.get('state') ?? '', { connection, redirectUri });
          return answer;
        },
        completeBrowserLogin: (request, context) => {
          const { search, searchParams } = new URL(request.callbackUrl ?? '');
          const found = begun.get(searchParams.get('state') ?? '');
          const own = found && { connection: found.connection, callbackUrl: found.redirectUri + search };
          return good.completeBrowserLogin({ ...request, ...own }, context);
        },
      };
    },
  },
  {
    name: 'links by e-mail unasked',
    caughtBy: 'browser: an address joins nobody by itself',
    change: (good) => ({
      completeBrowserLogin: async (request, context) => {
        const answer = await good.completeBrowserLogin(request, context);
        const system = createSystemContext();
        const email = answer.principal?.user?.email;
        const { users } = await good.listUsers({ state: UserState.ACTIVE, pageSize: 500 }, system);
        const twin = users.find(
          (user) => user.email === email && user.emailVerified && user.id !== answer.principal?.user?.id,
        );
        return twin ? { ...answer, principal: answer.principal && { ...answer.principal, user: twin } } : answer;
      },
    }),
  },
  {
    name: 'finds users by the name that the provider gives',
    caughtBy: 'browser: an account is one user for good',
    change: (good) => {
      const users = new Map<string, string>();
      return {
        completeBrowserLogin: async (request, context) => {
          const answer = await good.completeBrowserLogin(request, context);
          const { user } = answer.principal!;
          const known = users.get(user!.email);
          users.set(user!.email, known ?? user!.id);
          return known ? { ...answer, principal: { ...answer.principal!, user: { ...user!, id: known } } } : answer;
        },
      };
    },
  },
  {
    name: 'forgets where to go afterwards',
    caughtBy: 'browser: an account is one user for good',
    change: (good) => ({
      completeBrowserLogin: async (request, context) => ({
        ...(await good.completeBrowserLogin(request, context)),
        returnTo: '/',
      }),
    }),
  },
  {
    name: 'takes a no for a failure of the provider',
    caughtBy: 'browser: denied at the provider',
    change: (good) => ({
      completeBrowserLogin: (request, context) =>
        instead(good.completeBrowserLogin(request, context), 'LOGIN_DENIED', () =>
          good.completeBrowserLogin({ ...request, callbackUrl: `${request.callbackUrl}&state=x` }, context),
        ),
    }),
  },
  {
    name: 'lets deactivated users in',
    caughtBy: 'browser: who cannot act cannot log in',
    change: (good) => {
      let last: Awaited<ReturnType<Complete>> | undefined;
      return {
        completeBrowserLogin: async (request, context) => {
          const call = good.completeBrowserLogin(request, context);
          last = await instead(call, 'NOT_ALLOWED', async () => last!);
          return last;
        },
      };
    },
  },
];
