/** Other objects that a write names. Whether they exist and may be used only the Model knows. */
import type { CustomFieldDefinition, Issue, IssueCollections } from '@bugless/proto';
import { CustomFieldKind } from '@bugless/proto';
import { ServiceError } from '../service/error.ts';
import { isId } from './check.ts';

/** Another object that a write names; the Model checks that it exists, may be used and closes no loop. */
export interface Reference {
  /** Canonical name of the field: `parent`, `blocked_by`, `duplicate_of`, `component`, `field.NAME`. */
  readonly field: string;
  readonly kind: 'issue' | 'component';
  readonly id: string;
  /** Path in the request, for the error: `issue.parent`, `add.blocked_by[0]`. */
  readonly path: string;
}

/** Whether following `next` from the targets leads back to `id`; `next` gives parents, blockers or canonical issues. */
export function closesLoop(id: string, targets: readonly string[], next: (id: string) => readonly string[]): boolean {
  const seen = new Set<string>();
  const waiting = [...targets];
  for (let current = waiting.pop(); current !== undefined; current = waiting.pop()) {
    if (current === id) return true;
    if (seen.has(current)) continue;
    seen.add(current);
    waiting.push(...next(current));
  }
  return false;
}

/** Objects that `after` names and `before` did not. CYCLE when the issue names itself. */
export function collectReferences(
  before: Issue,
  after: Issue,
  asked: Issue | undefined,
  add: IssueCollections | undefined,
  definitions: readonly CustomFieldDefinition[],
): Reference[] {
  const references: Reference[] = [];
  const refer = (field: string, kind: Reference['kind'], id: string, path: string) => {
    if (kind === 'issue' && id === after.id) {
      throw new ServiceError('CYCLE', `${path}: issue ${id} can not refer to itself`, { violations: [] });
    }
    references.push({ field, kind, id, path });
  };
  if (after.component !== before.component) refer('component', 'component', after.component, 'issue.component');
  if (after.parent !== before.parent && after.parent !== '0') refer('parent', 'issue', after.parent, 'issue.parent');
  if (after.duplicateOf !== before.duplicateOf && after.duplicateOf !== '0') {
    refer('duplicate_of', 'issue', after.duplicateOf, 'issue.duplicate_of');
  }
  for (const id of after.blockedBy) {
    if (before.blockedBy.includes(id)) continue;
    const index = add?.blockedBy.indexOf(id) ?? -1;
    const path = index >= 0 ? `add.blocked_by[${index}]` : `issue.blocked_by[${asked?.blockedBy.indexOf(id) ?? 0}]`;
    refer('blocked_by', 'issue', id, path);
  }
  for (const definition of definitions) {
    if (definition.kind !== CustomFieldKind.ISSUE) continue;
    const of = (issue: Issue) => issue.customFields.find((value) => value.field === definition.name)?.values ?? [];
    for (const id of of(after)) {
      if (!of(before).includes(id) && isId(id)) {
        references.push({
          field: `field.${definition.name}`,
          kind: 'issue',
          id,
          path: `issue.custom_fields.${definition.name}`,
        });
      }
    }
  }
  return references;
}
