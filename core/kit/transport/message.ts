import { ServiceError } from '../service/error.ts';
import type { MessageCodec, ServiceDefinition } from '../service/port.ts';
import { type FieldDescriptor, type MessageDescriptor, readDescriptors } from './descriptor.ts';

/** Largest message on any transport, in bytes of its proto serialization. */
export const MAX_MESSAGE_SIZE = 16 * 1024 * 1024;

/** Messages nested deeper are refused; what ts-proto's decoder allows, less one for a well-known type at the leaf. */
const MAX_DEPTH = 99;

/**
 * Copies a message as the wire would: deeply, defaults filled in, unknown fields
 * dropped, and whatever the wire could not carry unchanged refused.
 */
export interface MessageType {
  readonly name: string;
  // biome-ignore lint/suspicious/noExplicitAny: message codecs are invariant in their message
  readonly codec: MessageCodec<any>;
  /**
   * @throws ServiceError INVALID_FIELD with the path of the first wrong field; TOO_LARGE
   *   beyond {@link MAX_MESSAGE_SIZE}.
   */
  // biome-ignore lint/suspicious/noExplicitAny: its message, as the codec's
  copy(value: unknown): any;
  /** Serializes what copy returned. Throws TOO_LARGE like it. */
  // biome-ignore lint/suspicious/noExplicitAny: its message, as the codec's
  encode(message: any): Uint8Array;
}

/** Request and response of an RPC. */
export interface MethodTypes {
  readonly request: MessageType;
  readonly response: MessageType;
}

const compiled = new Map<string, MethodTypes>();

/** Types of the RPC that a definition lists under this key; compiled when first asked for. */
export function getMethodTypes(service: ServiceDefinition, key: string): MethodTypes {
  const id = `${service.fullName}/${key}`;
  let types = compiled.get(id);
  if (types === undefined) {
    const definition = service.methods[key];
    const method = readDescriptors()
      .services.get(service.fullName)
      ?.get(definition?.name ?? '');
    if (definition === undefined || method === undefined) throw new Error(`${id} is not in the contracts`);
    types = {
      request: createType(method.request, definition.requestType),
      response: createType(method.response, definition.responseType),
    };
    compiled.set(id, types);
  }
  return types;
}

function createType(name: string, codec: MessageType['codec']): MessageType {
  const reader = findReader(name);
  const encode = (message: unknown): Uint8Array => {
    const bytes = codec.encode(message).finish();
    if (bytes.length > MAX_MESSAGE_SIZE) throw tooLarge(name, bytes.length);
    return bytes;
  };
  const copy = (value: unknown): unknown => {
    meter.size = 0;
    meter.depth = 0;
    let message: unknown;
    try {
      message = reader.read(value);
    } catch (error) {
      if (!(error instanceof Violation)) throw error;
      const { path, description } = error;
      const line = path === '' ? description : `${path}: ${description}`;
      throw new ServiceError('INVALID_FIELD', line, { violations: [{ field: path, description }] });
    }
    // The meter counts an upper bound; only what might be too large is measured exactly.
    if (meter.size > MAX_MESSAGE_SIZE) encode(message);
    return message;
  };
  return { name, codec, copy, encode };
}

function tooLarge(name: string, size: number): ServiceError {
  const line = `a ${name.slice(name.lastIndexOf('.') + 1)} of ${size} bytes is larger than ${MAX_MESSAGE_SIZE} bytes`;
  return new ServiceError('TOO_LARGE', line, { metadata: { limit: String(MAX_MESSAGE_SIZE) } });
}

/** A value that the wire would refuse or change. Becomes a ServiceError once its path is whole. */
class Violation {
  path: string;
  readonly description: string;
  constructor(path: string, description: string) {
    this.path = path;
    this.description = description;
  }
}

function within(error: unknown, prefix: string): unknown {
  if (error instanceof Violation) error.path = error.path === '' ? prefix : `${prefix}.${error.path}`;
  return error;
}

/** Of the message being copied; copying is synchronous, so one is enough. */
const meter = { size: 0, depth: 0 };

interface Reader {
  readonly name: string;
  read(value: unknown): unknown;
}

const readers = new Map<string, Reader>();

/** A reader that compiles itself when first used: messages may be recursive, and most are never sent. */
function findReader(name: string): Reader {
  let reader = readers.get(name);
  if (reader === undefined) {
    const created: Reader = {
      name,
      read: (value) => {
        created.read = compileReader(name);
        return created.read(value);
      },
    };
    reader = created;
    readers.set(name, reader);
  }
  return reader;
}

/**
 * Compiles the copying of one message to a plain function: one object literal of
 * fixed shape, several times as fast as walking the descriptor for each message.
 * Its source comes from the contracts alone, never from input.
 */
function compileReader(name: string): (value: unknown) => unknown {
  const descriptor = findMessage(name);
  const scope: unknown[] = [];
  const oneofs = new Map<string, FieldDescriptor[]>();
  const lines: string[] = [];
  for (const field of descriptor.fields) {
    if (field.oneof === undefined) {
      lines.push(`${field.property}: ${writeField(field, `o.${field.property}`, scope)},`);
    } else {
      const members = oneofs.get(field.oneof) ?? [];
      if (members.length === 0) lines.push(`${field.oneof}: ${field.oneof}(o.${field.oneof}),`);
      oneofs.set(field.oneof, [...members, field]);
    }
  }
  const functions = [...oneofs].map(([oneof, members]) => writeOneof(oneof, members, scope));
  const cost = descriptor.fields.length * 17;
  const source = `'use strict';
${functions.join('\n')}
return function (o) {
  if (typeof o !== 'object' || o === null) throw new k.Violation('', 'expected a message');
  m.size += ${cost};
  return { ${lines.join('\n    ')} };
};`;
  return new Function('k', 'm', 's', source)(KINDS, meter, scope) as (value: unknown) => unknown;
}

function writeOneof(name: string, members: readonly FieldDescriptor[], scope: unknown[]): string {
  const cases = members.map((member) => {
    const value = writeField({ ...member, optional: false }, 'o.value', scope);
    return `case '${member.property}': return { $case: '${member.property}', value: ${value} };`;
  });
  return `function ${name}(o) {
  if (o === undefined || o === null || o.value === undefined || o.value === null) return undefined;
  switch (o.$case) { ${cases.join('\n    ')} }
  return undefined;
}`;
}

function writeField(field: FieldDescriptor, value: string, scope: unknown[]): string {
  const path = `'${field.name}'`;
  const keep = (object: unknown): string => `s[${scope.push(object) - 1}]`;
  if (field.message === 'google.protobuf.FieldMask' && !field.repeated) return `k.fieldMask(${value}, ${path})`;
  if (field.type === MESSAGE && field.message !== 'google.protobuf.Timestamp') {
    const message = findMessage(field.message);
    if (message.isMapEntry) return `k.map(${value}, ${path})`;
    const reader = keep(findReader(field.message));
    return field.repeated ? `k.messages(${value}, ${reader}, ${path})` : `k.message(${value}, ${reader}, ${path})`;
  }
  const kind = field.type === MESSAGE ? 'timestamp' : SCALARS[field.type];
  if (kind === undefined) throw new Error(`type ${field.type} of field ${field.name} is not used in the contracts yet`);
  if (field.repeated) return `k.list(${value}, k.${kind}, ${path})`;
  if (field.optional) {
    return `${value} === undefined || ${value} === null ? undefined : k.${kind}(${value}, ${path})`;
  }
  return `k.${kind}(${value}, ${path})`;
}

function findMessage(name: string): MessageDescriptor {
  const message = readDescriptors().messages.get(name);
  if (message === undefined) throw new Error(`message ${name} is not in the contracts`);
  return message;
}

const MESSAGE = 11;
/** FieldDescriptorProto.Type → the function that reads it. */
const SCALARS: Readonly<Record<number, string>> = {
  1: 'double',
  3: 'int64',
  5: 'int32',
  8: 'bool',
  9: 'text',
  12: 'bytes',
  14: 'int32',
};

/** Readers of single values: absent gives the default, wrong throws a Violation. */
const KINDS = {
  Violation,

  text(value: unknown, path: string): string {
    if (typeof value === 'string') {
      if (!value.isWellFormed()) throw new Violation(path, 'holds half of a surrogate pair; send well-formed Unicode');
      meter.size += value.length * 3;
      return value;
    }
    if (value === undefined || value === null) return '';
    throw new Violation(path, `expected text, not ${describe(value)}`);
  },

  int64(value: unknown, path: string): string {
    if (value === undefined || value === null) return '0';
    if (typeof value !== 'string') {
      throw new Violation(path, `expected a 64-bit integer as a decimal string, not ${describe(value)}`);
    }
    return isPlainInteger(value) ? value : readInteger(value, path);
  },

  int32(value: unknown, path: string): number {
    if (value === undefined || value === null) return 0;
    if (typeof value === 'number' && (value | 0) === value) return value | 0;
    throw new Violation(path, `expected a 32-bit integer, not ${describe(value)}`);
  },

  double(value: unknown, path: string): number {
    if (value === undefined || value === null) return 0;
    if (typeof value === 'number') return value;
    throw new Violation(path, `expected a number, not ${describe(value)}`);
  },

  bool(value: unknown, path: string): boolean {
    if (typeof value === 'boolean') return value;
    if (value === undefined || value === null) return false;
    throw new Violation(path, `expected true or false, not ${describe(value)}`);
  },

  bytes(value: unknown, path: string): Buffer {
    if (value === undefined || value === null) return Buffer.alloc(0);
    if (!(value instanceof Uint8Array)) throw new Violation(path, `expected bytes, not ${describe(value)}`);
    meter.size += value.length;
    return Buffer.from(value);
  },

  timestamp(value: unknown, path: string): string | undefined {
    if (value === undefined || value === null) return undefined;
    if (typeof value !== 'string') throw new Violation(path, `expected a time in RFC 3339, not ${describe(value)}`);
    return CANONICAL_TIME.test(value) ? value : readTime(value, path);
  },

  fieldMask(value: unknown, path: string): string[] | undefined {
    return value === undefined || value === null ? undefined : KINDS.list(value, KINDS.text, path);
  },

  list<T>(value: unknown, read: (value: unknown, path: string) => T, path: string): T[] {
    if (value === undefined || value === null) return [];
    if (!Array.isArray(value)) throw new Violation(path, `expected a list, not ${describe(value)}`);
    const length = value.length;
    const copy: T[] = [];
    if (length === 0) return copy;
    meter.size += length * 12;
    let index = 0;
    try {
      for (; index < length; index++) {
        const item: unknown = value[index];
        if (item === undefined || item === null) throw new Violation('', 'is empty');
        copy.push(read(item, ''));
      }
    } catch (error) {
      throw within(error, `${path}[${index}]`);
    }
    return copy;
  },

  message(value: unknown, reader: Reader, path: string): unknown {
    if (value === undefined || value === null) return undefined;
    if (++meter.depth >= MAX_DEPTH) throw new Violation(path, 'is nested too deeply');
    try {
      const copy = reader.read(value);
      meter.depth--;
      return copy;
    } catch (error) {
      throw within(error, path);
    }
  },

  messages(value: unknown, reader: Reader, path: string): unknown[] {
    if (value === undefined || value === null) return [];
    if (!Array.isArray(value)) throw new Violation(path, `expected a list, not ${describe(value)}`);
    const copy: unknown[] = [];
    if (++meter.depth >= MAX_DEPTH) throw new Violation(path, 'is nested too deeply');
    let index = 0;
    try {
      for (; index < value.length; index++) copy.push(reader.read(value[index]));
    } catch (error) {
      throw within(error, `${path}[${index}]`);
    }
    meter.depth--;
    return copy;
  },

  /** The contracts' maps are all from string to string. */
  map(value: unknown, path: string): Record<string, string> {
    const copy: Record<string, string> = {};
    if (value === undefined || value === null) return copy;
    if (typeof value !== 'object') throw new Violation(path, `expected a map, not ${describe(value)}`);
    for (const [key, item] of Object.entries(value)) {
      if (item === undefined) continue;
      meter.size += 12;
      copy[KINDS.text(key, path)] = KINDS.text(item, `${path}["${key}"]`);
    }
    return copy;
  },
};

/** Exactly as Date.toISOString writes it, the 29th of February excepted. */
const CANONICAL_TIME =
  /^(?!0000)\d{4}-(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8])|(?:0[13-9]|1[0-2])-(?:29|30)|(?:0[13578]|1[02])-31)T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d\.\d{3}Z$/;
const TIME = /^(\d{4})-(\d\d)-(\d\d)T\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)$/;
const FIRST_TIME = Date.parse('0001-01-01T00:00:00.000Z');
const LAST_TIME = Date.parse('9999-12-31T23:59:59.999Z');

/** Any RFC 3339 time, as the wire gives it back: UTC, in milliseconds. */
function readTime(value: string, path: string): string {
  const parts = TIME.exec(value);
  const time = parts === null ? Number.NaN : Date.parse(value);
  // Date.parse takes the 31st of any month and moves on to the next.
  const exists =
    parts !== null && Number(parts[3]) <= new Date(Date.UTC(Number(parts[1]), Number(parts[2]), 0)).getUTCDate();
  if (exists && time >= FIRST_TIME && time <= LAST_TIME) return new Date(time).toISOString();
  throw new Violation(path, 'expected a time in RFC 3339, like 2026-01-31T10:00:00.000Z');
}

/** Decimal, canonical and surely within 63 bits. */
function isPlainInteger(value: string): boolean {
  const length = value.length;
  if (length === 0 || length > 18) return false;
  const first = value.charCodeAt(0);
  if (first < 49 || first > 57) return length === 1 && first === 48;
  for (let index = 1; index < length; index++) {
    const code = value.charCodeAt(index);
    if (code < 48 || code > 57) return false;
  }
  return true;
}

const INTEGER = /^-?\d{1,40}$/;

function readInteger(value: string, path: string): string {
  if (INTEGER.test(value)) {
    const integer = BigInt(value);
    if (integer === BigInt.asIntN(64, integer)) return integer.toString();
  }
  throw new Violation(path, 'expected a 64-bit integer as a decimal string');
}

/** Names a value's type; never the value, which may be a secret. */
function describe(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  if (value instanceof Date) return 'a Date';
  if (typeof value === 'number' && !Number.isInteger(value)) return 'a fraction';
  if (typeof value === 'number') return 'a number';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}
