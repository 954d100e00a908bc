import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, relative, resolve } from 'node:path';
import { findNearest } from '@bugless/kit/domain';
import type { ErrorObject } from 'ajv/dist/2020.js';
import { type ConfigDocument, parseConfigDocument } from './document.ts';
import { ConfigError } from './error.ts';
import { CONFIG_SCHEMA, type Config, type ConfigFile, type PluginSettings } from './schema.ts';
import { readTrustedProxies } from './trusted-proxies.ts';

/** Environment names that stand for keys of the file, and win over them. */
export const ENVIRONMENT_NAMES = {
  BUGLESS_CONFIG: 'Path of the configuration file',
  BUGLESS_HTTP_PORT: 'http.port',
  BUGLESS_DATA_DIR: 'dataDir',
  BUGLESS_ADMIN_PASSWORD: 'Creates `admin` with this password on the first start, instead of the setup link',
} as const;

/** Where a configuration comes from. */
export interface ConfigSource {
  /** `--config`; wins over BUGLESS_CONFIG. Undefined with neither: no file, all defaults. */
  readonly file?: string | undefined;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Against which relative paths are taken. */
  readonly directory: string;
}

const DEFAULT_MODEL = '@bugless/model-postgres';
const DEFAULT_AUTHENTICATOR = '@bugless/auth-password';

/**
 * Reads the file and the environment, checks both, fills in the defaults.
 *
 * @throws ConfigError with one line per problem: `bugless.yaml:3: http.prot: unknown key; did you mean "port"?`
 */
export function loadConfig(source: ConfigSource): Config {
  const { environment } = source;
  const named = source.file ?? (environment.BUGLESS_CONFIG || undefined);
  const path = named === undefined ? undefined : resolve(source.directory, named);
  const document = path === undefined ? undefined : readDocument(path, named ?? path);
  const base = path === undefined ? source.directory : dirname(path);

  const problems: string[] = [];
  const value = document === undefined ? {} : expand(document, environment, problems);
  if (document !== undefined) problems.push(...checkSchema(document, value));
  if (problems.length > 0) throw new ConfigError(problems);
  const file = value as ConfigFile;
  if (document !== undefined) problems.push(...checkHttp(document, file), ...checkPlugins(document, file));

  const port = readPort(environment.BUGLESS_HTTP_PORT, problems) ?? file.http?.port ?? 8080;
  const adminPassword = environment.BUGLESS_ADMIN_PASSWORD;
  if (adminPassword !== undefined && (adminPassword.length < 8 || Buffer.byteLength(adminPassword) > 1000)) {
    problems.push('BUGLESS_ADMIN_PASSWORD: expected 8 to 1,000 characters');
  }
  if (environment.BUGLESS_DATA_DIR?.includes('\0')) problems.push('BUGLESS_DATA_DIR: expected a path');
  if (problems.length > 0) throw new ConfigError(problems);

  const dataDir = environment.BUGLESS_DATA_DIR
    ? resolve(source.directory, environment.BUGLESS_DATA_DIR)
    : resolve(base, file.dataDir ?? './data');
  return {
    file: path,
    http: {
      host: file.http?.host ?? '127.0.0.1',
      port,
      publicUrl: file.http?.publicUrl?.replace(/\/$/, ''),
      trustProxy: file.http?.trustProxy ?? false,
      tls: fillTls(file.http?.tls, base),
      clientCertHeader: file.http?.clientCertHeader ?? false,
      requestTimeout: file.http?.requestTimeout ?? 30,
      stopTimeout: file.http?.stopTimeout ?? 10,
      maxBodySize: file.http?.maxBodySize ?? 4_194_304,
    },
    rateLimit: {
      window: file.rateLimit?.window ?? 60,
      user: file.rateLimit?.user ?? 300_000,
      address: file.rateLimit?.address ?? 60_000,
    },
    dataDir,
    log: { level: file.log?.level ?? 'info', requests: file.log?.requests ?? true },
    model: fillPlugin('model', file.model ?? {}, DEFAULT_MODEL),
    authenticators: (file.authenticators ?? [{}]).map((section, index) =>
      fillPlugin(`authenticators[${index}]`, section, DEFAULT_AUTHENTICATOR),
    ),
    adminPassword: adminPassword || undefined,
    locate: (path) => document?.locate(path),
  };
}

function readDocument(path: string, shown: string): ConfigDocument {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    const why = code === 'ENOENT' ? 'no such file' : code === 'EISDIR' ? 'is a folder' : `cannot be read (${code})`;
    throw new ConfigError([`${shown}: ${why}; name a configuration file with --config or BUGLESS_CONFIG`]);
  }
  return parseConfigDocument(relative('', path).startsWith('..') ? path : shown, text);
}

/** Replaces `${NAME}` in every string; `$${` stands for `${`. */
function expand(document: ConfigDocument, environment: ConfigSource['environment'], problems: string[]): unknown {
  const walk = (value: unknown, path: (string | number)[]): unknown => {
    if (typeof value === 'string') {
      return value.replace(/(\$?)\$\{([^}]*)\}/g, (whole, mark: string, name: string) => {
        if (mark !== '') return whole.slice(1);
        const found = environment[name];
        if (found !== undefined) return found;
        problems.push(`${document.locate(path)}: ${formatPath(path)}: the environment variable ${name} is not set`);
        return '';
      });
    }
    if (Array.isArray(value)) return value.map((item, index) => walk(item, [...path, index]));
    if (typeof value === 'object' && value !== null) {
      return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, walk(item, [...path, key])]));
    }
    return value;
  };
  return walk(document.value, []);
}

function checkSchema(document: ConfigDocument, value: unknown): string[] {
  const { Ajv2020 } = createRequire(import.meta.url)('ajv/dist/2020.js') as typeof import('ajv/dist/2020.js');
  const validate = new Ajv2020({ allErrors: true, verbose: true, strict: false }).compile(CONFIG_SCHEMA);
  if (validate(value)) return [];
  const errors = (validate.errors ?? []).filter(
    // The alternatives of a union are told once, by the union itself.
    (error) => !/\/anyOf\/\d+\//.test(error.schemaPath),
  );
  return errors.slice(0, 10).map((error) => describeError(document, error));
}

function describeError(document: ConfigDocument, error: ErrorObject): string {
  const path = parsePointer(error.instancePath, document.value);
  const params = error.params as Record<string, unknown>;
  if (error.keyword === 'additionalProperties') {
    const key = String(params.additionalProperty);
    const keys = Object.keys((error.parentSchema as { properties?: object }).properties ?? {});
    const near = findNearest(key, keys);
    const hint = near === undefined ? `expected one of: ${keys.join(', ')}` : `did you mean "${near}"?`;
    return `${document.locate([...path, key])}: ${formatPath([...path, key])}: unknown key; ${hint}`;
  }
  const shown = path.length === 0 ? 'the file' : formatPath(path);
  return `${document.locate(path)}: ${shown}: expected ${describeExpectation(error)}, got ${describeValue(getWritten(document, path))}`;
}

/** The value as it stands in the file: what the environment put into it may be a secret. */
function getWritten(document: ConfigDocument, path: readonly (string | number)[]): unknown {
  return path.reduce((node, step) => (node as Record<string | number, unknown> | undefined)?.[step], document.value);
}

function describeExpectation(error: ErrorObject): string {
  const schema = (error.parentSchema ?? {}) as {
    minimum?: number;
    maximum?: number;
    type?: string;
    anyOf?: { const?: unknown; type?: string }[];
    description?: string;
    minItems?: number;
    maxItems?: number;
  };
  if (schema.anyOf !== undefined) {
    const words = schema.anyOf.map((choice) => (choice.const === undefined ? `${choice.type}` : `"${choice.const}"`));
    return words.join(' or ');
  }
  if (schema.minimum !== undefined)
    return `${article(schema.type)} from ${schema.minimum}${schema.maximum === undefined ? '' : ` to ${schema.maximum}`}`;
  if (error.keyword === 'pattern') return schema.description?.replace(/\.$/, '') ?? 'another form';
  if (error.keyword === 'minLength') return 'some text';
  if (schema.minItems !== undefined && schema.type === 'array')
    return `${schema.minItems} to ${schema.maxItems} entries`;
  if (schema.type === 'object') return 'a mapping (key: value)';
  return article(schema.type);
}

function article(type: string | undefined): string {
  if (type === undefined) return 'another value';
  return /^[aeiou]/.test(type) ? `an ${type}` : `a ${type}`;
}

function describeValue(value: unknown): string {
  if (Array.isArray(value)) return 'a list';
  if (value !== null && typeof value === 'object') return 'a mapping';
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}

/** What no schema says: what has to stand beside what in `http`. */
function checkHttp(document: ConfigDocument, { http = {} }: ConfigFile): string[] {
  const { tls, publicUrl, trustProxy = false, clientCertHeader } = http;
  const problems: string[] = [];
  const tell = (key: string, text: string) => {
    const path = ['http', ...key.split('.')];
    problems.push(`${document.locate(path)}: ${formatPath(path)}: ${text}`);
  };
  const asks = tls?.clientCertificates === 'optional';
  if (asks && tls?.ca === undefined) tell('tls.clientCertificates', 'needs ca, the authorities to believe');
  if (!asks && tls?.ca !== undefined) tell('tls.ca', 'only goes with clientCertificates: optional; remove it');
  if (tls !== undefined && publicUrl?.startsWith('http:')) tell('publicUrl', 'begins with https: when tls is on');
  // Certificates are no secrets: whoever may send the header may be anybody.
  if (clientCertHeader && !(typeof trustProxy === 'object' && trustProxy.length > 0)) {
    tell('clientCertHeader', 'needs trustProxy to list the addresses of the proxies');
  }
  try {
    readTrustedProxies(trustProxy);
  } catch (error) {
    problems.push(`${document.locate(['http', 'trustProxy'])}: ${(error as Error).message}`);
  }
  return problems;
}

/** What no schema says: which keys go with which transport. */
function checkPlugins(document: ConfigDocument, file: ConfigFile): string[] {
  const problems: string[] = [];
  const check = (section: NonNullable<ConfigFile['model']>, path: (string | number)[]) => {
    const transport = section.transport ?? 'in-process';
    const remote = transport !== 'in-process';
    const tcp = remote && !transport.startsWith('unix:');
    const tell = (key: string, text: string) =>
      problems.push(`${document.locate([...path, key])}: ${formatPath([...path, key])}: ${text}`);
    if (section.tls !== undefined && !tcp) tell('tls', 'only goes with a transport host:port; remove it');
    if (section.plaintext && !tcp) tell('plaintext', 'only goes with a transport host:port; remove it');
    if (section.plaintext && section.tls !== undefined) tell('plaintext', 'contradicts tls; keep one of them');
    if (section.plaintext && tcp && !/^(localhost|127\.\d+\.\d+\.\d+|\[::1\]):\d+$/.test(transport)) {
      tell('plaintext', `only allowed on loopback, and ${transport} is not; use tls`);
    }
    if ((section.tls?.cert === undefined) !== (section.tls?.key === undefined)) tell('tls', 'cert and key go together');
  };
  if (file.model !== undefined) check(file.model, ['model']);
  for (const [index, section] of (file.authenticators ?? []).entries()) check(section, ['authenticators', index]);
  return problems;
}

function fillTls(tls: NonNullable<ConfigFile['http']>['tls'], base: string): Config['http']['tls'] {
  if (tls === undefined) return undefined;
  return {
    cert: resolve(base, tls.cert),
    key: resolve(base, tls.key),
    ca: tls.ca === undefined ? undefined : resolve(base, tls.ca),
    clientCertificates: tls.clientCertificates ?? 'off',
  };
}

function fillPlugin(section: string, given: NonNullable<ConfigFile['model']>, plugin: string): PluginSettings {
  return {
    section,
    plugin: given.plugin ?? plugin,
    transport: given.transport ?? 'in-process',
    tls: given.tls,
    plaintext: given.plaintext ?? false,
    startTimeout: given.startTimeout ?? 10,
    config: (given.config ?? {}) as Readonly<Record<string, unknown>>,
  };
}

function readPort(text: string | undefined, problems: string[]): number | undefined {
  if (text === undefined || text === '') return undefined;
  if (/^\d{1,5}$/.test(text) && Number(text) <= 65535) return Number(text);
  problems.push(`BUGLESS_HTTP_PORT: expected a number from 0 to 65535, got ${JSON.stringify(text)}`);
  return undefined;
}

function formatPath(path: readonly (string | number)[]): string {
  return path.map((step, index) => (typeof step === 'number' ? `[${step}]` : index === 0 ? step : `.${step}`)).join('');
}

function parsePointer(pointer: string, value: unknown): (string | number)[] {
  if (pointer === '') return [];
  let node = value;
  return pointer
    .slice(1)
    .split('/')
    .map((step) => {
      const key = step.replaceAll('~1', '/').replaceAll('~0', '~');
      const found = Array.isArray(node) ? Number(key) : key;
      node = (node as Record<string | number, unknown> | undefined)?.[found];
      return found;
    });
}
