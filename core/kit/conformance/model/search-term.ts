import { CUSTOM_PREFIX, FIELDS, type IssueField, WORDS } from '../../domain/index.ts';
import { Filter, FilterOperator, FilterValue, HistoryKind, type Issue } from '../../service/index.ts';
import type { Chance } from '../expectation.ts';
import { CUSTOM_NAMES, LABELS, type SearchData, VERSIONS, VOCABULARY } from './search-data.ts';

const { HAS, EQUALS, PRESENT } = FilterOperator;

/** What random terms are drawn from. */
export interface TermSource {
  readonly chance: Chance;
  readonly data: SearchData;
  /** Issues whose values are asked for. */
  readonly issues: readonly Issue[];
}

/** A term on a field: some operator that it allows, with one to three values. */
export function makeTerm(
  field: IssueField,
  source: TermSource,
  operator = source.chance.pick(field.operators),
): Filter {
  // A comparison takes one value; the others match when one of theirs does.
  const isComparison = operator !== HAS && operator !== EQUALS;
  const count = isComparison ? 1 : 1 + source.chance.below(3);
  const values = operator === PRESENT ? [] : Array.from({ length: count }, () => makeValue(field, source, operator));
  return Filter.fromPartial({ node: { $case: 'term', value: { field: field.name, operator, values } } });
}

/** A term on a custom field of the data. */
export function makeCustomTerm(source: TermSource): Filter {
  const { chance, data } = source;
  const name = chance.pick(CUSTOM_NAMES);
  const kinds: Readonly<Record<string, () => object>> = {
    Browser: () => asText(chance.pick(['Firefox', 'chromium', 'Lynx'])),
    Cost: () =>
      chance.below(2) === 0 ? asNumber(chance.below(4) * 2.5) : { $case: 'range', value: { min: 2, max: 5 } },
    Seen: () => asTime(`2026-0${1 + chance.below(3)}-15T00:00:00.000Z`, '2026-03-01T00:00:00.000Z'),
    Note: () =>
      asText(
        source.issues.flatMap(({ customFields }) => customFields).find(({ field }) => field === 'Note')?.values[0] ??
          'x',
      ),
    Tester: () => ({ $case: 'user', value: chance.pick(data.people) }),
  };
  const operator = chance.below(4) === 0 ? PRESENT : HAS;
  const values =
    operator === PRESENT ? [] : [FilterValue.fromPartial({ kind: kinds[name]!() as FilterValue['kind'] & object })];
  return Filter.fromPartial({ node: { $case: 'term', value: { field: CUSTOM_PREFIX + name, operator, values } } });
}

/** A term on what a field was, or how it changed. */
export function makeHistoryTerm(source: TermSource): Filter {
  const { chance, data, issues } = source;
  const field = chance.pick(FIELDS.filter(({ recorded, kind }) => recorded && kind !== 'text'));
  const some = () => Array.from({ length: 1 + chance.below(2) }, () => makeValue(field, source, HAS));
  if (chance.below(2) === 0)
    return Filter.fromPartial({
      node: { $case: 'history', value: { kind: HistoryKind.WAS, field: field.name, to: some() } },
    });
  const value = {
    kind: HistoryKind.CHANGED,
    field: field.name,
    from: chance.below(3) === 0 ? some() : [],
    to: chance.below(2) === 0 ? some() : [],
    by: chance.below(3) === 0 ? [chance.pick([...data.people, data.world.root.user])] : [],
    ...(chance.below(3) === 0 ? { time: { start: chance.pick(issues).modified } } : {}),
  };
  return Filter.fromPartial({ node: { $case: 'history', value } });
}

const SEARCHABLE = FIELDS.filter(({ operators }) => operators.length > 0);

/** A tree of terms, at most so deep. */
export function makeFilter(source: TermSource, depth: number): Filter {
  const { chance, data } = source;
  const { world } = data;
  const choice = depth === 0 ? 9 : chance.below(10);
  if (choice < 4) {
    const operands = Array.from({ length: 1 + chance.below(3) }, () => makeFilter(source, depth - 1));
    return { node: { $case: choice < 2 ? 'and' : 'or', value: { operands } } };
  }
  if (choice < 6) return { node: { $case: 'not', value: makeFilter(source, depth - 1) } };
  if (choice === 6 && world.has('search.history')) return makeHistoryTerm(source);
  if (choice === 7 && world.has('custom_fields')) return makeCustomTerm(source);
  return makeTerm(chance.pick(SEARCHABLE.filter((field) => isSupported(field, source))), source);
}

/** Whether the plugin has what a field needs. */
export function isSupported(field: IssueField, { data }: Pick<TermSource, 'data'>): boolean {
  const needs = findNeed(field);
  return needs === undefined || data.world.has(needs);
}

/** The capability that a term on the field needs; undefined: none. */
export function findNeed({ name, kind }: IssueField) {
  if (kind === 'text' || name === 'commenter') return 'search.text' as const;
  if (name === 'starred' || name === 'stars') return 'stars' as const;
  if (name === 'hotlists') return 'hotlists' as const;
  return name === 'attachments' ? ('attachments' as const) : undefined;
}

const asText = (text: string, phrase = false, prefix = false) =>
  ({ $case: 'text', value: { text, phrase, prefix } }) as const;
const asNumber = (value: number) => ({ $case: 'number', value }) as const;
const asTime = (start: string | undefined, end: string | undefined) =>
  ({ $case: 'time', value: { start, end } }) as const;
const asReference = (id: string, subtree = false) => ({ $case: 'reference', value: { id, subtree } }) as const;

function makeValue(field: IssueField, source: TermSource, operator: FilterOperator): FilterValue {
  return FilterValue.fromPartial({ kind: makeKind(field, source, operator) as FilterValue['kind'] & object });
}

function makeKind(field: IssueField, source: TermSource, operator: FilterOperator): FilterValue['kind'] {
  const { chance, data, issues } = source;
  const issue = chance.pick(issues);
  switch (field.kind) {
    case 'text':
      return makeText(source, issue, operator);
    case 'enum': {
      const { numbers } = field.words ?? WORDS.type;
      const isRange = operator === HAS && chance.below(3) === 0;
      return isRange
        ? {
            $case: 'range',
            value: { min: chance.pick(numbers), max: chance.below(2) ? undefined : numbers.at(-1)! - 1 },
          }
        : asNumber(chance.pick(numbers));
    }
    case 'user':
    case 'users':
      return { $case: 'user', value: chance.pick([...data.people, data.world.root.user, 'nobody-here']) };
    case 'component':
      return asReference(chance.pick(data.components), operator === HAS && chance.below(2) === 0);
    case 'issue':
    case 'issues':
      return asReference(
        chance.pick([issue.id, issue.parent, ...issue.blockedBy, issue.duplicateOf].filter((id) => id !== '0')),
      );
    case 'hotlists':
      return asReference(chance.pick([...data.hotlists, issue.id]));
    case 'labels':
      return asText(chance.pick([...LABELS, ...VERSIONS, 'UI', 'ÉCLAIR', 'regression', 'u', 'next release']));
    case 'time':
      return makeTime(source, issue);
    case 'number':
      return operator === HAS && chance.below(3) === 0
        ? { $case: 'range', value: { min: undefined, max: chance.below(3) } }
        : asNumber(chance.below(4));
    case 'flag':
      return { $case: 'flag', value: chance.below(2) === 0 };
  }
}

function makeText({ chance }: TermSource, issue: Issue, operator: FilterOperator): FilterValue['kind'] {
  if (operator === EQUALS) return asText(chance.below(2) === 0 ? issue.title : issue.title.toUpperCase());
  const word = chance.pick([...VOCABULARY, 'CAFE', 'strasse', 'unicode', 'bar', 'zebra', '字']);
  const roll = chance.below(4);
  if (roll === 0) return asText(`${chance.pick(VOCABULARY)} ${word}`, true);
  if (roll === 1)
    return asText(word.slice(0, 2 + chance.below(3)).replace(/[^\p{L}\p{N}]+$/u, '') || 'cr', false, true);
  return asText(roll === 2 ? `${word} ${chance.pick(VOCABULARY)}` : word);
}

// Half-open: that it begins at exactly the time of an issue and ends at exactly that of another is the point.
function makeTime({ chance, issues }: TermSource, issue: Issue): FilterValue['kind'] {
  const [start, end] = [issue.modified!, chance.pick(issues).modified!].sort();
  const roll = chance.below(4);
  if (roll === 0) return asTime(start, undefined);
  if (roll === 1) return asTime(undefined, end);
  return asTime(roll === 2 ? issue.created : start, end);
}
