import { ServiceError } from '@bugless/kit/service';

/**
 * Throws VERSION_MISMATCH unless the caller saw the version that stands; with 0
 * VERSION_REQUIRED when it replaces free text, named by `text`.
 */
export function checkVersion(
  record: { readonly id: string; readonly version: string },
  expected: string,
  text: string | undefined,
): void {
  const { id, version } = record;
  if (expected === '0' && text !== undefined)
    throw new ServiceError('VERSION_REQUIRED', `expected_version: is required to replace the text of ${text}`);
  if (expected === '0' || expected === version) return;
  const message = `${id} is at version ${version}, not ${expected}: it was changed in between`;
  throw new ServiceError('VERSION_MISMATCH', message, { metadata: { current: version } });
}
