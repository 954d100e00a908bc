/**
 * The configuration file: every key, what it takes, its default. One source: the shipped
 * `config.schema.json`, the checks at start and the types all come from here.
 */
import { type Static, Type } from '../json-schema.ts';

const strict = { additionalProperties: false } as const;

const TransportText = Type.String({
  description: '`in-process`, `unix:///path/to.sock` or `host:port`.',
  pattern: '^(in-process|unix://.+|[^/\\s]+:[0-9]{1,5})$',
  default: 'in-process',
});

const Tls = Type.Object(
  {
    ca: Type.Optional(
      Type.String({ description: 'File with the certificates to trust; absent: those of the system.' }),
    ),
    cert: Type.Optional(Type.String({ description: 'File with the certificate that core shows (mTLS).' })),
    key: Type.Optional(Type.String({ description: 'File with the key of `cert`.' })),
    serverName: Type.Optional(Type.String({ description: 'Name expected in the certificate; absent: the host.' })),
  },
  { ...strict, description: 'Only for a transport `host:port`.' },
);

const HttpTls = Type.Object(
  {
    cert: Type.String({
      description: 'File with the certificate of this server and those above it, PEM.',
      minLength: 1,
    }),
    key: Type.String({ description: 'File with its key, PEM.', minLength: 1 }),
    ca: Type.Optional(
      Type.String({ description: 'File with the authorities of client certificates, PEM.', minLength: 1 }),
    ),
    clientCertificates: Type.Optional(
      Type.Union(
        (['off', 'optional'] as const).map((word) => Type.Literal(word)),
        { description: 'Ask clients for a certificate, and take it as their login.', default: 'off' },
      ),
    ),
  },
  { ...strict, description: 'Speak https.' },
);

const PluginSection = {
  plugin: Type.Optional(Type.String({ description: 'npm package of the plugin.', minLength: 1 })),
  transport: Type.Optional(TransportText),
  tls: Type.Optional(Tls),
  plaintext: Type.Optional(
    Type.Boolean({ description: 'Speak without TLS to a `host:port` on loopback.', default: false }),
  ),
  startTimeout: Type.Optional(
    Type.Integer({
      description: 'Seconds to wait for a remote plugin when starting.',
      default: 10,
      minimum: 1,
      maximum: 3600,
    }),
  ),
  config: Type.Optional(
    Type.Object({}, { additionalProperties: true, description: "The plugin's own configuration; see its README." }),
  ),
};

export const CONFIG_SCHEMA = Type.Object(
  {
    http: Type.Optional(
      Type.Object(
        {
          host: Type.Optional(
            Type.String({ description: 'Address to listen on.', default: '127.0.0.1', minLength: 1 }),
          ),
          port: Type.Optional(
            Type.Integer({
              description: 'Port to listen on; 0: any free one.',
              default: 8080,
              minimum: 0,
              maximum: 65535,
            }),
          ),
          publicUrl: Type.Optional(
            Type.String({
              description: 'Address that people use, without a path. Default: http://localhost:PORT, with tls https.',
              pattern: '^https?://[^/\\s]+/?$',
            }),
          ),
          trustProxy: Type.Optional(
            Type.Union([Type.Boolean(), Type.Array(Type.String({ minLength: 1 }))], {
              description: 'Believe X-Forwarded-* and X-Request-Id: always, or only from these addresses and networks.',
              default: false,
            }),
          ),
          tls: Type.Optional(HttpTls),
          clientCertHeader: Type.Optional(
            Type.Boolean({
              description:
                'Believe the client certificates that the proxies of trustProxy (a list) verified and pass on as Client-Cert (RFC 9440).',
              default: false,
            }),
          ),
          requestTimeout: Type.Optional(
            Type.Integer({ description: 'Seconds that one request may take.', default: 30, minimum: 1, maximum: 600 }),
          ),
          stopTimeout: Type.Optional(
            Type.Integer({
              description: 'Seconds to finish requests in when stopping.',
              default: 10,
              minimum: 0,
              maximum: 600,
            }),
          ),
          maxBodySize: Type.Optional(
            Type.Integer({
              description: 'Largest request body in bytes.',
              default: 4_194_304,
              minimum: 1024,
              maximum: 67_108_864,
            }),
          ),
        },
        strict,
      ),
    ),
    rateLimit: Type.Optional(
      Type.Object(
        {
          window: Type.Optional(Type.Integer({ description: 'Seconds.', default: 60, minimum: 1, maximum: 3600 })),
          user: Type.Optional(
            Type.Integer({
              description: 'Requests per window of one session or token; 0: no limit.',
              default: 300_000,
              minimum: 0,
            }),
          ),
          address: Type.Optional(
            Type.Integer({
              description: 'Requests per window of one address without a login; 0: no limit.',
              default: 60_000,
              minimum: 0,
            }),
          ),
        },
        strict,
      ),
    ),
    dataDir: Type.Optional(
      Type.String({
        description: 'Folder for data; relative to the configuration file.',
        default: './data',
        minLength: 1,
      }),
    ),
    log: Type.Optional(
      Type.Object(
        {
          level: Type.Optional(
            Type.Union(
              (['debug', 'info', 'warn', 'error', 'silent'] as const).map((level) => Type.Literal(level)),
              { description: 'The least that is logged.', default: 'info' },
            ),
          ),
          requests: Type.Optional(
            Type.Boolean({ description: 'One line for every request, not only for failures.', default: true }),
          ),
        },
        strict,
      ),
    ),
    model: Type.Optional(Type.Object(PluginSection, { ...strict, description: 'Where issues are kept.' })),
    authenticators: Type.Optional(
      Type.Array(Type.Object(PluginSection, strict), {
        description: 'How people log in, in this order.',
        minItems: 1,
        maxItems: 8,
      }),
    ),
  },
  { ...strict, $schema: 'https://json-schema.org/draft/2020-12/schema', title: 'Bugless configuration' },
);

/** What the file says. */
export type ConfigFile = Static<typeof CONFIG_SCHEMA>;

/** One plugin, defaults filled in. */
export interface PluginSettings {
  /** Where it stands in the file, for messages: `model`, `authenticators[0]`. */
  readonly section: string;
  readonly plugin: string;
  readonly transport: string;
  readonly tls: Static<typeof Tls> | undefined;
  readonly plaintext: boolean;
  /** Seconds. */
  readonly startTimeout: number;
  readonly config: Readonly<Record<string, unknown>>;
}

/** The configuration in force, defaults filled in. */
export interface Config {
  /** The file it came from; undefined: none. */
  readonly file: string | undefined;
  readonly http: {
    readonly host: string;
    readonly port: number;
    /** Without a trailing slash; undefined: http://localhost:PORT (https with `tls`) with the port listened on. */
    readonly publicUrl: string | undefined;
    readonly trustProxy: boolean | readonly string[];
    /** Absolute paths; undefined: plain http. */
    readonly tls:
      | {
          readonly cert: string;
          readonly key: string;
          readonly ca: string | undefined;
          readonly clientCertificates: 'off' | 'optional';
        }
      | undefined;
    readonly clientCertHeader: boolean;
    /** Seconds. */
    readonly requestTimeout: number;
    /** Seconds. */
    readonly stopTimeout: number;
    /** Bytes. */
    readonly maxBodySize: number;
  };
  readonly rateLimit: { readonly window: number; readonly user: number; readonly address: number };
  /** Absolute. */
  readonly dataDir: string;
  readonly log: { readonly level: 'debug' | 'info' | 'warn' | 'error' | 'silent'; readonly requests: boolean };
  readonly model: PluginSettings;
  readonly authenticators: readonly PluginSettings[];
  /** BUGLESS_ADMIN_PASSWORD; never logged. */
  readonly adminPassword: string | undefined;
  /** Where in the file a key stands (`['model', 'config', 'url']` → `bugless.yaml:7`); undefined without a file. */
  readonly locate: (path: readonly (string | number)[]) => string | undefined;
}
