/** SQL types of parameters, as they are written behind them. */
export type SqlType =
  | 'bool'
  | 'int4'
  | 'int8'
  | 'float8'
  | 'text'
  | 'timestamptz'
  | 'tsquery'
  | 'int2[]'
  | 'int4[]'
  | 'int8[]'
  | 'text[]'
  | 'float8[]';

/**
 * The parameters of one statement. The same shape of request has to give the same
 * text, since statements are prepared under their text: values stand in
 * parameters, lists in array parameters, never in the text.
 */
export class Statement {
  readonly parameters: unknown[] = [];
  readonly #places = new Map<string, string>();

  /** Binds a value; the place to write it at, with its type: `$3::int4[]`. The same value is bound once. */
  bind(value: unknown, type: SqlType): string {
    const key = `${type} ${JSON.stringify(value)}`;
    const known = this.#places.get(key);
    if (known !== undefined) return known;
    this.parameters.push(value);
    const place = `$${this.parameters.length}::${type}`;
    this.#places.set(key, place);
    return place;
  }
}
