import type { Filter } from '@bugless/kit/service';
import { ISSUE_COLUMNS } from '../issue-row.ts';
import { type ConditionScope, writeFilter } from './condition.ts';
import { type Driver, hasOpenTerm, listConjuncts } from './driver.ts';
import type { Order } from './order.ts';
import type { Plan } from './plan.ts';
import type { TextLead } from './text-search.ts';
import { listSeenClasses, writeVisible } from './visibility.ts';

/** What a page of issues is asked for by. */
export interface PageRequest {
  readonly filter: Filter | undefined;
  /** Operand of its top-level `and` that all candidates meet already: not written again. */
  readonly met?: Filter;
  /** Leave out archived issues. */
  readonly liveOnly: boolean;
  readonly order: Order;
  /** Key values of the row behind which the page begins. */
  readonly after: readonly string[] | undefined;
  /** Rows wanted at least: one more than the page holds tells whether there is another page. More may come. */
  readonly limit: number;
}

/** From so many stretches on, the first row of each is read before any is read further. */
const HEADS_FROM = 4;

/** How many rows are asked for: pages of 10, 25, 50, 100, 200 and 500, and counts. */
const LIMITS = [11, 26, 51, 101, 201, 501, 1_001, 10_001];

/**
 * Writes the statement of a page. There are three shapes, each of which reads an index in its
 * order and stops when the page is full, whatever the values are:
 *
 * - a walk over all issues in the order asked for;
 * - stretches of a driver's index, merged, for `-modified`;
 * - a set: all candidates of a driver that is known to be short, then sorted.
 */
export class PageWriter {
  readonly #request: PageRequest;
  readonly #scope: ConditionScope;

  constructor(request: PageRequest, scope: ConditionScope) {
    this.#request = request;
    this.#scope = scope;
  }

  /** The statement of a plan. */
  write(plan: Plan): string {
    switch (plan.kind) {
      case 'walk':
        return this.#writeWalk();
      case 'stretches':
        return this.#writeStretches(plan.driver);
      case 'set':
        return this.#writeSorted(this.#writeDriverIds(plan.driver));
      case 'text':
        return this.#writeSorted(this.#writeTextIds(plan.lead));
    }
  }

  /** How many issues there are, up to the limit, as `count`. */
  writeCount(plan: Plan): string {
    const { asOf, join } = this.#scope.spelling;
    const limit = this.#writeLimit();
    let from = 'issue i';
    if (plan.kind === 'set' || plan.kind === 'stretches') {
      from = `(select distinct s.id from (${this.#writeDriverIds(plan.driver)}) s) c ${join} issue i on i.id = c.id`;
    } else if (plan.kind === 'text') {
      from = `(select distinct s.id from (${this.#writeTextIds(plan.lead)}) s) c ${join} issue i on i.id = c.id`;
    }
    return `select count(*)::int4 as count from (select 1 from ${from} where ${this.#join(this.#writeConditions())} limit ${limit}) x${asOf}`;
  }

  /** All issues, in the order's own index. */
  #writeWalk(): string {
    const { order, after } = this.#request;
    const { statement, spelling } = this.#scope;
    const { covered, rest } = this.#splitConditions();
    const issue = spelling.table('issue', 'i', order.index);
    const stretches = order.writeStretches(after, statement);
    const limit = `limit ${this.#writeLimit()}`;
    // Where a fence is no fence, only the limit itself may stand between the index and the rows.
    const isFenced = order.isCovered && (spelling.lateral || rest.length === 0);
    if (!isFenced && stretches.length === 1) {
      return this.#select(issue, this.#join([...covered, ...rest, stretches[0]!]));
    }
    const keys = order.keys.map((_, index) => `c.key${index}`);
    const sorted = order.keys.map((key, index) => `${keys[index]}${key.descending ? ' desc' : ''}`).join(', ');
    const join = (index: string): string => `(${index}) c ${spelling.join} issue i on i.id = ${keys.at(-1)}`;
    const write = (stretch: string, conditions: readonly string[], end: string): string => {
      const where = this.#join([stretch, ...conditions]);
      return `select ${order.writeKeys()} from ${issue} where ${where} order by ${order.write()} ${end}`;
    };
    if (isFenced && stretches.length === 1) {
      const index = write(stretches[0]!, covered, spelling.lateral ? 'offset 0' : limit);
      return this.#select(join(index), this.#join(rest), sorted, keys.join(', '));
    }
    const arms = stretches.map((stretch) =>
      isFenced && rest.length > 0
        ? `(select c.* from ${join(write(stretch, covered, 'offset 0'))} where ${this.#join(rest)} order by ${sorted} ${limit})`
        : `(${write(stretch, [...covered, ...rest], limit)})`,
    );
    const merged = `select * from (${arms.join(' union all ')}) c order by ${sorted} ${limit}`;
    return this.#select(join(merged), 'true', sorted, keys.join(', '));
  }

  /** A driver's stretches, each newest first, merged. */
  #writeStretches(driver: Driver): string {
    const { statement, spelling } = this.#scope;
    const limit = this.#writeLimit();
    const conditions = this.#writeCandidateConditions();
    const candidates = (value: string, count: string): string =>
      `select c.modified, c.id from ${driver.writeFrom(statement)} ${spelling.join} issue i on i.id = c.id where ${this.#join([driver.writeEquals(value), ...conditions])} order by c.modified desc, c.id desc limit ${count}`;
    if (driver.width === 1) {
      const value = statement.bind(driver.values[0], driver.valueType);
      return this.#selectIds(`select s.id from (${candidates(value, limit)}) s`);
    }
    if (!spelling.lateral) {
      const arms = driver.values.map((value) => `(${candidates(statement.bind(value, driver.valueType), limit)})`);
      return this.#selectIds(`select s.id from (${arms.join(' union all ')}) s`);
    }
    const values = `unnest(${statement.bind(driver.values, `${driver.valueType}[]`)}) as v (value)`;
    if (driver.width < HEADS_FROM) {
      return this.#selectIds(
        `select distinct s.id from ${values} cross join lateral (${candidates('v.value', limit)}) s`,
      );
    }
    const heads = `select v.value, s.modified, s.id from ${values} cross join lateral (${candidates('v.value', '1')}) s order by s.modified desc, s.id desc limit ${limit}`;
    return this.#selectIds(
      `with heads as materialized (${heads}) select distinct s.id from heads v cross join lateral (${candidates('v.value', limit)}) s`,
    );
  }

  /** Rows of a table expression `f` with `id` and `score`, best first. */
  writeScored(from: string, after: { readonly score: number; readonly id: string } | undefined): string {
    const { statement } = this.#scope;
    const behind = after
      ? `(f.score, i.id) < (${statement.bind(after.score, 'int4')}, ${statement.bind(after.id, 'int8')})`
      : '';
    const where = this.#join([...this.#writeConditions(), behind]);
    return `select ${this.#writeColumns()}, f.score from ${from} f join issue i on i.id = f.id where ${where} order by f.score desc, i.id desc limit ${this.#writeLimit()}`;
  }

  #writeDriverIds(driver: Driver): string {
    const { statement } = this.#scope;
    return `select c.id from ${driver.writeFrom(statement)} where ${driver.writeAny(statement)}`;
  }

  #writeTextIds(lead: TextLead): string {
    return `select d.issue_id as id from ${this.#scope.spelling.table('doc', 'd', 'doc_words')} where ${lead.write(this.#scope)}`;
  }

  #writeSorted(query: string): string {
    const where = this.#join([...this.#writeConditions(), this.#writeAfter()]);
    if (!this.#scope.spelling.lateral) return this.#select(this.#writeLookup(query), where);
    // The fence keeps the planner from walking an index in order and looking every row up in the set.
    return this.#select(`(select i.* from issue i where i.id = any(array(${query})) and ${where} offset 0) i`);
  }

  /** Ids of at least the page's rows, found in order; the rows are fetched and ordered. */
  #selectIds(query: string): string {
    if (!this.#scope.spelling.lateral) return this.#select(this.#writeLookup(query));
    return this.#select(`(select i.* from issue i where i.id = any(array(${query})) offset 0) i`);
  }

  /** The rows `i` of issue with these ids, where an array of ids would have all rows read. */
  #writeLookup(query: string): string {
    return `(select distinct s.id from (${query}) s) c ${this.#scope.spelling.join} issue i on i.id = c.id`;
  }

  #select(
    from: string,
    where = 'true',
    order = this.#request.order.write(),
    keys = this.#request.order.writeKeys(),
  ): string {
    const columns = `${this.#writeColumns()}, ${keys}`;
    return `select ${columns} from ${from}${this.#scope.spelling.asOf} where ${where} order by ${order} limit ${this.#writeLimit()}`;
  }

  #writeColumns(): string {
    const { statement, visibility, spelling } = this.#scope;
    const starred =
      visibility.user === ''
        ? 'false'
        : spelling.exists(`star s where s.user_id = ${statement.bind(visibility.user, 'text')} and s.issue_id = i.id`);
    return `${ISSUE_COLUMNS}, ${starred} as starred`;
  }

  /**
   * In the text, because the planner has to know that few rows are wanted; in steps, because each
   * text is a statement of its own.
   */
  #writeLimit(): string {
    const { limit } = this.#request;
    return String(LIMITS.find((step) => step >= limit) ?? limit);
  }

  #writeAfter(): string {
    const { after, order } = this.#request;
    return after === undefined ? '' : order.writeAfter(after, this.#scope.statement);
  }

  #writeConditions(): string[] {
    const { covered, rest } = this.#splitConditions();
    return [...covered, ...rest];
  }

  /** Conditions that the walk's index answers by itself, and the others. */
  #splitConditions(): { covered: string[]; rest: string[] } {
    const { statement, visibility } = this.#scope;
    const { order, liveOnly, filter, met } = this.#request;
    const covered = liveOnly ? ['not i.archived'] : [];
    const rest: string[] = [];
    const visible = writeVisible(visibility, 'i', statement);
    if (visible !== '') (visibility.named.length > 0 ? rest : covered).push(visible);
    for (const conjunct of listConjuncts(filter)) {
      if (conjunct === met) continue;
      (isCovered(conjunct, order.covered) ? covered : rest).push(writeFilter(conjunct, this.#scope));
    }
    return { covered, rest };
  }

  /** The same, for candidates `c` of a stretch: what their index carries is checked there first. */
  #writeCandidateConditions(): string[] {
    const { statement, visibility } = this.#scope;
    const after = this.#writeAfter().replaceAll('i.modified', 'c.modified').replaceAll('i.id', 'c.id');
    const early = [after, this.#request.liveOnly ? 'not c.archived' : ''];
    if (!visibility.everything) early.push(`c.acl + 0 = any(${statement.bind(listSeenClasses(visibility), 'int4[]')})`);
    if (hasOpenTerm(this.#request.filter)) early.push('c.is_open');
    return [...early, ...this.#writeConditions()];
  }

  #join(conditions: readonly string[]): string {
    return conditions.filter((condition) => condition !== '').join(' and ') || 'true';
  }
}

function isCovered(filter: Filter, fields: ReadonlySet<string>): boolean {
  const node = filter.node;
  if (node?.$case === 'not') return isCovered(node.value, fields);
  if (node?.$case === 'and' || node?.$case === 'or')
    return node.value.operands.every((each) => isCovered(each, fields));
  return node?.$case === 'term' && fields.has(node.value.field);
}
