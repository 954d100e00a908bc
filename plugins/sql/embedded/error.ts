/**
 * Why the embedded server is not there:
 * - `UNSUPPORTED`: no PostgreSQL for this platform, or it cannot be executed here;
 * - `FOLDER_IN_USE`: another process serves this folder;
 * - `FOLDER_UNUSABLE`: wrong owner, another major version, or not writable;
 * - `BAD_SETTING`: a server setting that may not be changed or does not exist;
 * - `START_FAILED`: PostgreSQL did not come up; the message names its log file.
 */
export type EmbeddedErrorCode = 'UNSUPPORTED' | 'FOLDER_IN_USE' | 'FOLDER_UNUSABLE' | 'BAD_SETTING' | 'START_FAILED';

/** A failure of the embedded server, with one line for the operator that says what to change. */
export class EmbeddedError extends Error {
  override readonly name = 'EmbeddedError';
  readonly code: EmbeddedErrorCode;

  constructor(code: EmbeddedErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
