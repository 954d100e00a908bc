/** As much of a browser as a login takes: cookies, redirects, forms. */

interface Cookie {
  readonly name: string;
  readonly value: string;
  readonly host: string;
  readonly path: string;
}

/** What a person does at a provider's pages. */
export interface Behaviour {
  /** Account to log in as; not needed while the provider still knows the browser. */
  readonly login?: string;
  /** Says no when asked to agree. */
  readonly denies?: boolean;
}

/** Most pages of one login. */
const MAX_STEPS = 20;

/** One browser: what it got stays in it. */
export class Browser {
  #cookies: Cookie[] = [];

  /** One request; redirects are not followed. */
  async request(address: string | URL, form?: Record<string, string>): Promise<Response> {
    const url = new URL(address);
    const headers = new Headers();
    const cookies = this.#cookies.filter(({ host, path }) => host === url.hostname && url.pathname.startsWith(path));
    if (cookies.length > 0) headers.set('cookie', cookies.map(({ name, value }) => `${name}=${value}`).join('; '));
    const response = await fetch(url, {
      headers,
      redirect: 'manual',
      ...(form && { method: 'POST', body: new URLSearchParams(form) }),
    });
    for (const line of response.headers.getSetCookie()) this.#keep(line, url);
    return response;
  }

  #keep(line: string, url: URL): void {
    const [pair = '', ...attributes] = line.split(';').map((part) => part.trim());
    const [name = '', value = ''] = pair.split(/=(.*)/s);
    const read = (wanted: string) =>
      attributes.map((attribute) => attribute.split(/=(.*)/s)).find(([key]) => key!.toLowerCase() === wanted)?.[1];
    const path = read('path') ?? '/';
    const ended = Date.parse(read('expires') ?? '') <= Date.now();
    this.#cookies = this.#cookies.filter((cookie) => cookie.name !== name || cookie.path !== path);
    if (value !== '' && !ended) this.#cookies.push({ name, value, host: url.hostname, path });
  }

  /** Goes through a provider's pages until it sends the browser to an address that begins with `end`; answers that address. */
  async logIn(address: string, end: string, { login = '', denies = false }: Behaviour = {}): Promise<string> {
    let response = await this.request(address);
    let at = new URL(address);
    for (let step = 0; step < MAX_STEPS; step += 1) {
      const location = response.headers.get('location');
      if (location !== null) {
        const next = new URL(location, at);
        if (next.href.startsWith(end)) return next.href;
        at = next;
        response = await this.request(at);
        continue;
      }
      const page = await response.text();
      const prompt = /name="prompt" value="(\w+)"/.exec(page)?.[1];
      if (prompt === undefined) throw new Error(`${at} answered ${response.status}: ${page.slice(0, 500)}`);
      if (denies) {
        at = new URL(`${at.pathname}/abort`, at);
        response = await this.request(at);
      } else {
        response = await this.request(at, prompt === 'login' ? { prompt, login, password: 'any' } : { prompt });
      }
    }
    throw new Error(`${at} leads nowhere`);
  }
}
