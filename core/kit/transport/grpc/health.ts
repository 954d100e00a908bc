import { BinaryReader, BinaryWriter } from '@bufbuild/protobuf/wire';
import {
  type Client,
  Metadata,
  type ServerUnaryCall,
  type ServerWritableStream,
  type ServiceDefinition,
  type sendUnaryData,
  status,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';

/** Full name of the health service. */
export const HEALTH = 'grpc.health.v1.Health';

/** grpc.health.v1.HealthCheckResponse.ServingStatus. */
const SERVING = 1;
const NOT_SERVING = 2;
const SERVICE_UNKNOWN = 3;
/** How often a watched status is looked at, and how long a check may take before it counts as failed. */
const WATCH_PAUSE = 1_000;
const CHECK_LIMIT = 1_500;

type Bytes = Buffer;

/** Looks whether a service can serve; rejects when it cannot. */
export type ReadinessCheck = () => Promise<void>;

/**
 * grpc.health.v1, whose answers are what the services say of themselves at that moment.
 *
 * @param checks by full name of the service; the empty name stands for all of them.
 */
export function createHealth(checks: ReadonlyMap<string, ReadinessCheck>): {
  definition: ServiceDefinition;
  implementation: UntypedServiceImplementation;
} {
  const ask = async (service: string): Promise<number> => {
    if (service !== '' && !checks.has(service)) return SERVICE_UNKNOWN;
    const asked = service === '' ? [...checks.values()] : [checks.get(service) as ReadinessCheck];
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error('late')), CHECK_LIMIT);
    });
    return Promise.race([Promise.all(asked.map((check) => check())), late])
      .then(
        () => SERVING,
        () => NOT_SERVING,
      )
      .finally(() => clearTimeout(timer));
  };

  const check = (call: ServerUnaryCall<Bytes, Bytes>, callback: sendUnaryData<Bytes>): void => {
    const service = readService(call.request);
    void ask(service).then((answer) => {
      if (answer !== SERVICE_UNKNOWN) callback(null, writeStatus(answer));
      else callback({ code: status.NOT_FOUND, details: `no service ${service} here`, metadata: new Metadata() });
    });
  };

  const watch = (call: ServerWritableStream<Bytes, Bytes>): void => {
    const service = readService(call.request);
    let last = -1;
    let timer: NodeJS.Timeout | undefined;
    let over = false;
    call.on('cancelled', () => {
      over = true;
      clearTimeout(timer);
    });
    const look = async (): Promise<void> => {
      const answer = await ask(service);
      if (over) return;
      if (answer !== last) call.write(writeStatus(answer));
      last = answer;
      timer = setTimeout(() => void look(), WATCH_PAUSE);
      timer.unref();
    };
    void look();
  };

  const list = (_: ServerUnaryCall<Bytes, Bytes>, callback: sendUnaryData<Bytes>): void => {
    const names = ['', ...checks.keys()];
    void Promise.all(names.map(ask)).then((answers) => {
      const writer = new BinaryWriter();
      names.forEach((name, index) => {
        writer.tag(1, 2).fork().tag(1, 2).string(name);
        writer
          .tag(2, 2)
          .bytes(writeStatus(answers[index] ?? NOT_SERVING))
          .join();
      });
      callback(null, Buffer.from(writer.finish()));
    });
  };

  return {
    definition: {
      check: describe('Check', false),
      watch: describe('Watch', true),
      list: describe('List', false),
    },
    implementation: { check, watch, list } as unknown as UntypedServiceImplementation,
  };
}

function describe(name: string, responseStream: boolean) {
  const same = (bytes: Buffer): Buffer => bytes;
  return {
    path: `/${HEALTH}/${name}`,
    requestStream: false,
    responseStream,
    requestSerialize: same,
    requestDeserialize: same,
    responseSerialize: same,
    responseDeserialize: same,
  };
}

/**
 * Asks a server whether a service can serve. Rejects with the gRPC error when no answer comes; a server that does
 * not know health is believed to be healthy.
 */
export function askHealth(client: Client, service: string, deadline: number): Promise<boolean> {
  const request = Buffer.from(new BinaryWriter().tag(1, 2).string(service).finish());
  const same = (bytes: Buffer): Buffer => bytes;
  return new Promise((resolve, reject) => {
    const done = (error: { code: number } | null, answer?: Buffer): void => {
      if (error === null) resolve(readStatus(answer as Buffer) === SERVING);
      else if (error.code === status.UNIMPLEMENTED) resolve(true);
      else if (error.code === status.NOT_FOUND) resolve(false);
      else reject(error);
    };
    client.makeUnaryRequest(`/${HEALTH}/Check`, same, same, request, new Metadata(), { deadline }, done);
  });
}

function readStatus(response: Uint8Array): number {
  const reader = new BinaryReader(response);
  let answer = 0;
  while (reader.pos < reader.len) {
    const [field, wire] = reader.tag();
    if (field === 1 && wire === 0) answer = reader.int32();
    else reader.skip(wire, field);
  }
  return answer;
}

function readService(request: Uint8Array): string {
  const reader = new BinaryReader(request);
  let service = '';
  while (reader.pos < reader.len) {
    const [field, wire] = reader.tag();
    if (field === 1 && wire === 2) service = reader.string();
    else reader.skip(wire, field);
  }
  return service;
}

function writeStatus(answer: number): Buffer {
  return Buffer.from(new BinaryWriter().tag(1, 0).int32(answer).finish());
}

/**
 * The health service's FileDescriptorSet for reflection. It is not a contract of Bugless, so it does not lie in
 * proto/; written from https://github.com/grpc/grpc/blob/master/src/proto/grpc/health/v1/health.proto.
 */
export function describeHealth(): Uint8Array {
  const part = (write: (writer: BinaryWriter) => void): Uint8Array => {
    const writer = new BinaryWriter();
    write(writer);
    return writer.finish();
  };
  const field = (name: string, number: number, type: number, typeName?: string, label = 1) =>
    part((w) => {
      w.tag(1, 2).string(name).tag(3, 0).int32(number).tag(4, 0).int32(label).tag(5, 0).int32(type);
      if (typeName !== undefined) w.tag(6, 2).string(typeName);
    });
  const message = (name: string, fields: Uint8Array[], nested: [number, Uint8Array][] = []) =>
    part((w) => {
      w.tag(1, 2).string(name);
      for (const each of fields) w.tag(2, 2).bytes(each);
      for (const [number, each] of nested) w.tag(number, 2).bytes(each);
    });
  const values = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN'];
  const servingStatus = part((w) => {
    w.tag(1, 2).string('ServingStatus');
    values.forEach((name, number) => {
      w.tag(2, 2).bytes(part((v) => v.tag(1, 2).string(name).tag(2, 0).int32(number)));
    });
  });
  const scope = '.grpc.health.v1.';
  const response = `${scope}HealthCheckResponse`;
  const entry = message(
    'StatusesEntry',
    [field('key', 1, 9), field('value', 2, 11, response)],
    [[7, part((w) => w.tag(7, 0).bool(true))]],
  );
  const listResponse = `${scope}HealthListResponse`;
  const method = (name: string, input: string, output: string, streams = false) =>
    part((w) => {
      w.tag(1, 2)
        .string(name)
        .tag(2, 2)
        .string(scope + input)
        .tag(3, 2)
        .string(output);
      if (streams) w.tag(6, 0).bool(true);
    });
  const file = part((w) => {
    w.tag(1, 2).string('grpc/health/v1/health.proto').tag(2, 2).string('grpc.health.v1');
    w.tag(4, 2).bytes(message('HealthCheckRequest', [field('service', 1, 9)]));
    w.tag(4, 2).bytes(
      message('HealthCheckResponse', [field('status', 1, 14, `${response}.ServingStatus`)], [[4, servingStatus]]),
    );
    w.tag(4, 2).bytes(message('HealthListRequest', []));
    w.tag(4, 2).bytes(
      message('HealthListResponse', [field('statuses', 1, 11, `${listResponse}.StatusesEntry`, 3)], [[3, entry]]),
    );
    w.tag(6, 2).bytes(
      part((s) => {
        s.tag(1, 2).string('Health');
        s.tag(2, 2).bytes(method('Check', 'HealthCheckRequest', response));
        s.tag(2, 2).bytes(method('List', 'HealthListRequest', listResponse));
        s.tag(2, 2).bytes(method('Watch', 'HealthCheckRequest', response, true));
      }),
    );
    w.tag(12, 2).string('proto3');
  });
  return part((w) => w.tag(1, 2).bytes(file));
}
