import { ServiceError } from '@bugless/kit/service';
import type { FastifyRequest } from 'fastify';
import type { FormErrors } from '../../web/parts/form.ts';

/** One field of a submitted form, white space at its ends cut off; '' when it was not sent. */
export function readText(request: FastifyRequest, name: string): string {
  return readRaw(request, name).trim();
}

/** One field as it was sent, line ends as `\n`. */
export function readRaw(request: FastifyRequest, name: string): string {
  const value = (request.body as Record<string, unknown> | undefined)?.[name];
  const text = Array.isArray(value) ? value.at(-1) : value;
  return typeof text === 'string' ? text.replaceAll('\r\n', '\n') : '';
}

/** All values of a field that may be sent several times. */
export function readAll(request: FastifyRequest, name: string): string[] {
  const value = (request.body as Record<string, unknown> | undefined)?.[name];
  return ([] as unknown[])
    .concat(value ?? [])
    .filter((text): text is string => typeof text === 'string' && text !== '');
}

/** Every field as text, by its name. */
export function readFields(request: FastifyRequest): Record<string, string> {
  return Object.fromEntries(
    Object.keys((request.body as object | undefined) ?? {}).map((name) => [name, readRaw(request, name)]),
  );
}

/** One parameter of the query string. */
export function readQuery(request: FastifyRequest, name: string): string {
  const value = (request.query as Record<string, unknown>)[name];
  const text = Array.isArray(value) ? value.at(-1) : value;
  return typeof text === 'string' ? text : '';
}

/** A number in the path. @throws ServiceError with the reason when it is none. */
export function readId(
  request: FastifyRequest,
  name: string,
  reason: 'ISSUE_NOT_FOUND' | 'COMPONENT_NOT_FOUND' | 'HOTLIST_NOT_FOUND' | 'UPDATE_NOT_FOUND',
): string {
  const id = (request.params as Record<string, string>)[name] ?? '';
  if (!/^[1-9]\d{0,18}$/.test(id))
    throw new ServiceError(reason, `There is no ${reason.split('_', 1)[0]?.toLowerCase()} “${id.slice(0, 30)}”.`);
  return id;
}

/** A path of this server to go on to; anything else is the fallback. */
export function readReturn(path: string, fallback = '/'): string {
  return /^\/(?![/\\])[\x20-\x7e]*$/.test(path) ? path : fallback;
}

/**
 * A failure as messages at the fields of a form: `issue.found_in[2]` stands at `found_in`, what is at no
 * field of it at the form as a whole.
 */
export function explainErrors(
  error: ServiceError,
  fields: ReadonlySet<string> | 'all' = 'all',
  prefix = /^(issue|component|hotlist|user|add|remove)\./,
): FormErrors {
  const errors: Record<string, string> = {};
  for (const { field, description } of error.violations) {
    const name = field.replace(prefix, '').replace(/\[\d+\].*$/, '');
    const known = name !== '' && (fields === 'all' || fields.has(name));
    errors[known ? name : ''] ??= known ? `${sayField(name)}: ${description}` : error.message;
  }
  if (error.violations.length === 0) errors[''] = error.message;
  return errors;
}

function sayField(name: string): string {
  const words = name.replace(/^custom_fields\./, '').replaceAll('_', ' ');
  return words.charAt(0).toUpperCase() + words.slice(1);
}
