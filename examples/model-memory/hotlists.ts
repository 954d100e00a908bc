import {
  checkHotlistAction,
  checkText,
  decideHotlistPermission,
  foldCase,
  listHotlistPermissions,
  refuse,
} from '@bugless/kit/domain';
import {
  type CallContext,
  EventKind,
  type FieldViolation,
  Hotlist,
  type HotlistEntry,
  HotlistPermission,
  IssueView,
  invalidField,
  type ModelImplementation,
  ServiceError,
} from '@bugless/kit/service';
import { findIssue, seeIssue } from './access.ts';
import { type Environment, requireLogin } from './environment.ts';
import { checkBatch } from './issues.ts';
import { paginate } from './page.ts';
import { writeOnce } from './request.ts';
import { showIssue } from './show.ts';
import type { Store } from './store.ts';
import { checkVersion } from './version.ts';

const { VIEW, APPEND, ADMIN } = HotlistPermission;
const SETTABLE = ['name', 'description', 'owner', 'access', 'archived'] as const;

/** Named, ordered lists of issues. */
export function createHotlistMethods(environment: Environment) {
  const { store } = environment;

  const show = (id: string, context: CallContext): Hotlist => {
    const hotlist = findHotlist(store, id, context, VIEW);
    return { ...hotlist, permissions: listHotlistPermissions(context, decideHotlistPermission(context, hotlist)) };
  };

  /** Changes the entries of a hotlist in one transaction, for those who may append. */
  const editEntries = (
    id: string,
    context: CallContext,
    edit: (entries: readonly HotlistEntry[]) => HotlistEntry[],
  ): void => {
    const hotlist = findHotlist(store, id, context, APPEND);
    const before = store.entries.get(id) ?? [];
    const entries = edit(before);
    if (JSON.stringify(entries) === JSON.stringify(before)) return;
    store.put(store.entries, id, entries);
    tellHotlist(environment, hotlist, context);
  };

  return {
    async createHotlist(request, context) {
      return writeOnce(environment, context, 'CreateHotlist', request, () => {
        const now = environment.now();
        const asked = request.hotlist ?? Hotlist.fromPartial({});
        const { name, description, access } = asked;
        const made = {
          id: store.mintId(),
          version: '1',
          name,
          description,
          access,
          owner: context.user,
          archived: false,
        };
        const hotlist = { ...made, created: now, modified: now, permissions: [] };
        checkHotlistAction(context, ADMIN, ADMIN);
        putHotlist(environment, hotlist, context);
        return { hotlist: show(hotlist.id, context) };
      });
    },

    async getHotlist({ id }, context) {
      return { hotlist: show(id, context) };
    },

    async listHotlists(request, context) {
      const { owner, name, includeArchived, issue } = request;
      const rows = [...store.hotlists.values()]
        .filter((hotlist) => decideHotlistPermission(context, hotlist) >= VIEW)
        .filter((hotlist) => owner === '' || hotlist.owner === owner)
        .filter((hotlist) => includeArchived || !hotlist.archived)
        .filter((hotlist) => foldCase(hotlist.name).includes(foldCase(name)))
        .filter((hotlist) => issue === '0' || store.entries.get(hotlist.id)?.some((entry) => entry.issue === issue));
      const keysOf = (hotlist: Hotlist) => [foldCase(hotlist.name), hotlist.id];
      rows.sort((a, b) => compareKeys(keysOf(a), keysOf(b)));
      const page = paginate(rows, request, [owner, name, includeArchived, issue], keysOf, compareKeys);
      return { hotlists: page.rows.map(({ id }) => show(id, context)), nextPageToken: page.nextPageToken };
    },

    async updateHotlist(request, context) {
      return writeOnce(environment, context, 'UpdateHotlist', request, () => {
        const hotlist = findHotlist(store, request.id, context, ADMIN);
        const mask = request.updateMask ?? [];
        const next = { ...hotlist };
        for (const [index, path] of mask.entries()) {
          const field = SETTABLE.find((name) => name === path);
          if (!field) throw invalidField(`update_mask.paths[${index}]`, `one of ${SETTABLE.join(', ')} is expected`);
          Object.assign(next, { [field]: request.hotlist?.[field] });
        }
        checkVersion(
          hotlist,
          request.expectedVersion,
          ['name', 'description'].find((field) => mask.includes(field)),
        );
        if (JSON.stringify(next) !== JSON.stringify(hotlist)) {
          const version = String(BigInt(hotlist.version) + 1n);
          putHotlist(environment, { ...next, version, modified: environment.now() }, context);
        }
        return { hotlist: show(request.id, context) };
      });
    },

    async deleteHotlist({ id }, context) {
      requireLogin(context);
      store.transact(() => {
        const hotlist = findHotlist(store, id, context, ADMIN);
        // Told before it is gone: afterwards nobody may see it.
        tellHotlist(environment, hotlist, context);
        store.put(store.hotlists, id, undefined);
        store.put(store.entries, id, undefined);
      });
      return {};
    },

    async listHotlistEntries(request, context) {
      const { hotlist } = request;
      findHotlist(store, hotlist, context, VIEW);
      const all = store.entries.get(hotlist) ?? [];
      const rows = all.flatMap((entry, index) => {
        const seen = seeIssue(store, entry.issue, context);
        return seen ? [{ entry: { ...entry, summary: showIssue(store, seen, context, IssueView.BASIC) }, index }] : [];
      });
      // A page goes on behind the entry that it ended with, wherever that was dragged to; when it is gone, where it stood.
      const find = ([issue, index]: readonly string[]) => {
        const found = all.findIndex((entry) => entry.issue === issue);
        return found >= 0 ? found : Number(index) - 0.5;
      };
      const page = paginate(
        rows,
        request,
        [hotlist],
        ({ entry, index }) => [entry.issue, String(index)],
        (a, b) => find(a) - find(b),
      );
      return { entries: page.rows.map(({ entry }) => entry), nextPageToken: page.nextPageToken };
    },

    async addHotlistEntries(request, context) {
      const { hotlist, issues, note } = request;
      checkBatch('issues', issues.length);
      checkNote(note);
      return writeOnce(environment, context, 'AddHotlistEntries', request, () => {
        editEntries(hotlist, context, (entries) => {
          const ids = [...new Set(issues)];
          const added = ids.map((issue, index): HotlistEntry => {
            findIssue(store, issue, context, `issues[${index}]`);
            const there = entries.find((entry) => entry.issue === issue);
            const fresh = {
              hotlist,
              issue,
              note: '',
              author: context.user,
              added: environment.now(),
              summary: undefined,
            };
            return { ...(there ?? fresh), ...(note === '' ? {} : { note }) };
          });
          return [...added, ...entries.filter((entry) => !ids.includes(entry.issue))];
        });
        return {};
      });
    },

    async removeHotlistEntries({ hotlist, issues }, context) {
      requireLogin(context);
      checkBatch('issues', issues.length);
      store.transact(() =>
        editEntries(hotlist, context, (entries) => entries.filter((entry) => !issues.includes(entry.issue))),
      );
      return {};
    },

    async moveHotlistEntry({ hotlist, issue, after }, context) {
      requireLogin(context);
      store.transact(() =>
        editEntries(hotlist, context, (entries) => {
          const entry = findEntry(entries, issue, 'issue');
          if (after === issue) return [...entries];
          const others = entries.filter((other) => other.issue !== issue);
          const place = after === '0' ? 0 : others.indexOf(findEntry(others, after, 'after')) + 1;
          return others.toSpliced(place, 0, entry);
        }),
      );
      return {};
    },

    async annotateHotlistEntry({ hotlist, issue, note }, context) {
      requireLogin(context);
      checkNote(note);
      store.transact(() =>
        editEntries(hotlist, context, (entries) => {
          const entry = findEntry(entries, issue, 'issue');
          return entries.map((other) => (other === entry ? { ...entry, note } : other));
        }),
      );
      return {};
    },
  } satisfies Partial<ModelImplementation>;
}

/** A hotlist with which the caller may do what is needed; else HOTLIST_NOT_FOUND or FORBIDDEN. */
function findHotlist(store: Store, id: string, context: CallContext, needed: HotlistPermission): Hotlist {
  const hotlist = store.hotlists.get(id);
  const permission = hotlist ? decideHotlistPermission(context, hotlist) : HotlistPermission.UNSPECIFIED;
  if (!hotlist || permission < VIEW)
    throw new ServiceError('HOTLIST_NOT_FOUND', `there is no hotlist ${id}, or it is not visible to you`);
  checkHotlistAction(context, permission, needed);
  return hotlist;
}

function findEntry(entries: readonly HotlistEntry[], issue: string, path: string): HotlistEntry {
  const entry = entries.find((candidate) => candidate.issue === issue);
  if (entry) return entry;
  throw new ServiceError('ISSUE_NOT_FOUND', `${path}: issue ${issue} is not in the hotlist`);
}

function putHotlist(environment: Environment, hotlist: Hotlist, context: CallContext): void {
  const { store } = environment;
  const violations: FieldViolation[] = [];
  checkText(violations, 'hotlist.name', hotlist.name, { maxCharacters: 100, required: true, singleLine: true });
  checkText(violations, 'hotlist.description', hotlist.description, { maxBytes: 64 * 1024 });
  refuse(violations);
  const others = [...store.hotlists.values()].filter(({ id, owner }) => id !== hotlist.id && owner === hotlist.owner);
  if (others.some(({ name }) => foldCase(name) === foldCase(hotlist.name)))
    throw new ServiceError(
      'NAME_TAKEN',
      `hotlist.name: ${JSON.stringify(hotlist.name)} is taken among those of its owner`,
    );
  store.put(store.hotlists, hotlist.id, hotlist);
  tellHotlist(environment, hotlist, context);
}

function tellHotlist({ store, now }: Environment, { id }: Hotlist, context: CallContext): void {
  const event = { kind: EventKind.HOTLIST_CHANGED, created: now(), author: context.user, hotlist: id };
  store.tell({ ...event, issue: '0', version: '0', component: '0', update: undefined });
}

function checkNote(note: string): void {
  const violations: FieldViolation[] = [];
  checkText(violations, 'note', note, { maxBytes: 4 * 1024 });
  refuse(violations);
}

function compareKeys([a, idA]: readonly string[], [b, idB]: readonly string[]): number {
  if (a !== b) return a! < b! ? -1 : 1;
  return idA!.length - idB!.length || (idA! < idB! ? -1 : idA! > idB! ? 1 : 0);
}
