import type { Filter, FilterTerm, FilterText } from '@bugless/kit/service';
import { FilterOperator } from '@bugless/kit/service';
import type { ConditionScope } from './condition.ts';
import { listConjuncts } from './driver.ts';
import { isIndexed, TEXT_SEQUENCES, writeMatch, writeReadable } from './text-condition.ts';

/** The operand of the top-level `and` from which a search for text starts. */
export interface TextLead {
  /** The operand: met by every candidate. */
  readonly filter: Filter;
  /** Conditions on the row `d` of doc that all candidates meet, one of their texts each; readable by the caller. */
  write(scope: ConditionScope): string;
}

/** The lead of a filter: its longest single text, since long words are rare. Undefined: no text has to be met. */
export function findTextLead(
  filter: Filter | undefined,
  textSearch: ConditionScope['textSearch'],
): TextLead | undefined {
  let best: { conjunct: Filter; field: string; text: FilterText; length: number } | undefined;
  for (const conjunct of listConjuncts(filter)) {
    const node = conjunct.node;
    const text = node?.$case === 'term' ? readSingleText(node.value) : undefined;
    if (node?.$case !== 'term' || text === undefined || !isIndexed(text, textSearch)) continue;
    const length = text.prefix ? text.text.length / 2 : text.text.length;
    if (best === undefined || length > best.length) best = { conjunct, field: node.value.field, text, length };
  }
  if (!best) return undefined;
  const { conjunct, field, text } = best;
  return {
    filter: conjunct,
    write: (scope) => `${writeMatch(text, scope)}${TEXT_SEQUENCES[field]}${writeReadable('d', scope)}`,
  };
}

function readSingleText(term: FilterTerm): FilterText | undefined {
  if (TEXT_SEQUENCES[term.field] === undefined || term.operator !== FilterOperator.HAS) return undefined;
  const kind = term.values.length === 1 ? term.values[0]!.kind : undefined;
  return kind?.$case === 'text' ? kind.value : undefined;
}
