import { type ErrorReason, ServiceError } from '../../service/error.ts';
import type { Span } from './ast.ts';

/**
 * A query that cannot be understood, with the place where. The message begins with
 * the column, says what was expected and, where a slip is likely, what may be meant.
 */
export class QueryError extends ServiceError {
  /** 1-based, in UTF-16 code units. */
  readonly column: number;
  /** In UTF-16 code units; 0 at the end of the text. */
  readonly length: number;

  constructor(span: Span, problem: string, reason: ErrorReason = 'BAD_FILTER') {
    super(reason, `column ${span.column}: ${problem}`, {
      violations: [{ field: 'query', description: `column ${span.column}: ${problem}` }],
      metadata: { column: String(span.column), length: String(span.length) },
    });
    this.column = span.column;
    this.length = span.length;
  }
}
