import { readFileSync } from 'node:fs';
import { BinaryReader } from '@bufbuild/protobuf/wire';

/** A message of the contracts, as far as copying and checking it needs to know. */
export interface MessageDescriptor {
  /** `bugless.v1.Issue`. */
  readonly name: string;
  readonly fields: readonly FieldDescriptor[];
  /** The entry message of a map field. */
  readonly isMapEntry: boolean;
}

/** One field of a message. */
export interface FieldDescriptor {
  /** In the proto's snake_case. */
  readonly name: string;
  /** In TypeScript. */
  readonly property: string;
  /** FieldDescriptorProto.Type: 1 double, 3 int64, 5 int32, 8 bool, 9 string, 11 message, 12 bytes, 14 enum. */
  readonly type: number;
  /** Full name of the message, for type 11. */
  readonly message: string;
  readonly repeated: boolean;
  /** Told apart from its default: `optional`. */
  readonly optional: boolean;
  /** TypeScript name of the oneof that holds it; undefined: none. */
  readonly oneof: string | undefined;
}

/** One RPC. */
export interface MethodDescriptor {
  readonly name: string;
  readonly request: string;
  readonly response: string;
}

/** What the descriptor set says, by full names. */
export interface Descriptors {
  /** FileDescriptorSet (descriptor.proto), serialized. */
  readonly bytes: Uint8Array;
  readonly messages: ReadonlyMap<string, MessageDescriptor>;
  /** Methods of each service, by the method's name. */
  readonly services: ReadonlyMap<string, ReadonlyMap<string, MethodDescriptor>>;
}

let descriptors: Descriptors | undefined;

/** The contracts as protoc described them; read once, about 2 ms. */
export function readDescriptors(): Descriptors {
  if (descriptors === undefined) {
    const root = import.meta.resolve('@bugless/proto/package.json');
    descriptors = parseDescriptors(readFileSync(new URL('generated/descriptor.bin', root)));
  }
  return descriptors;
}

/** Reads a serialized FileDescriptorSet. */
export function parseDescriptors(bytes: Uint8Array): Descriptors {
  const messages = new Map<string, MessageDescriptor>();
  const services = new Map<string, ReadonlyMap<string, MethodDescriptor>>();
  for (const file of readFields(bytes).get(1) ?? []) {
    const fields = readFields(file as Uint8Array);
    const scope = text(fields, 2);
    for (const message of all(fields, 4)) parseMessage(scope, message, messages);
    for (const service of all(fields, 6)) {
      const { name, methods } = parseService(scope, service);
      services.set(name, methods);
    }
  }
  return { bytes, messages, services };
}

function parseMessage(scope: string, bytes: Uint8Array, into: Map<string, MessageDescriptor>): void {
  const fields = readFields(bytes);
  const name = `${scope}.${text(fields, 1)}`;
  const oneofs = all(fields, 8).map((oneof) => text(readFields(oneof), 1));
  const options = all(fields, 7)[0];
  into.set(name, {
    name,
    fields: all(fields, 2).map((field) => parseField(field, oneofs)),
    isMapEntry: options !== undefined && number(readFields(options), 7) === 1,
  });
  for (const nested of all(fields, 3)) parseMessage(name, nested, into);
}

function parseField(bytes: Uint8Array, oneofs: readonly string[]): FieldDescriptor {
  const fields = readFields(bytes);
  const optional = number(fields, 17) === 1;
  const oneof = fields.has(9) && !optional ? oneofs[number(fields, 9)] : undefined;
  return {
    name: text(fields, 1),
    property: toCamelCase(text(fields, 1)),
    type: number(fields, 5),
    message: text(fields, 6).slice(1),
    repeated: number(fields, 4) === 3,
    optional,
    oneof: oneof === undefined ? undefined : toCamelCase(oneof),
  };
}

function parseService(scope: string, bytes: Uint8Array): { name: string; methods: Map<string, MethodDescriptor> } {
  const fields = readFields(bytes);
  const methods = all(fields, 2).map((method): MethodDescriptor => {
    const parts = readFields(method);
    return { name: text(parts, 1), request: text(parts, 2).slice(1), response: text(parts, 3).slice(1) };
  });
  return { name: `${scope}.${text(fields, 1)}`, methods: new Map(methods.map((method) => [method.name, method])) };
}

/** Splits a message into its fields by number; the descriptor's own schema needs only varints and bytes. */
function readFields(bytes: Uint8Array): Map<number, (Uint8Array | number)[]> {
  const reader = new BinaryReader(bytes);
  const fields = new Map<number, (Uint8Array | number)[]>();
  while (reader.pos < reader.len) {
    const [field, wire] = reader.tag();
    if (wire !== 0 && wire !== 2) {
      reader.skip(wire, field);
      continue;
    }
    const value = wire === 0 ? Number(reader.int64()) : reader.bytes();
    const values = fields.get(field);
    if (values === undefined) fields.set(field, [value]);
    else values.push(value);
  }
  return fields;
}

const all = (fields: Map<number, (Uint8Array | number)[]>, field: number): Uint8Array[] =>
  (fields.get(field) ?? []) as Uint8Array[];

const number = (fields: Map<number, (Uint8Array | number)[]>, field: number): number =>
  (fields.get(field)?.at(-1) as number | undefined) ?? 0;

function text(fields: Map<number, (Uint8Array | number)[]>, field: number): string {
  const bytes = fields.get(field)?.at(-1) as Uint8Array | undefined;
  return bytes === undefined ? '' : Buffer.from(bytes).toString('utf8');
}

/** `found_in` → `foundIn`, as ts-proto names properties. */
function toCamelCase(name: string): string {
  return name.replaceAll(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}
