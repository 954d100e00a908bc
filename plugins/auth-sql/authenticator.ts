import type { AuthenticatorImplementation, CallContext } from '@bugless/kit/service';
import { createUser } from './account.ts';
import { updateUser } from './account-change.ts';
import { listAuditEvents } from './audit.ts';
import { changeGroupMembers, createGroup, deleteGroup, listGroupMembers, listGroups, updateGroup } from './group.ts';
import { claimPlaceholder, createPlaceholders } from './placeholder.ts';
import { createSession, listSessions, revokeSessions } from './session.ts';
import { completeSetup, createSetupCode, getSetup } from './setup.ts';
import type { AuthStore } from './store.ts';
import { createToken, listTokens, revokeToken } from './token.ts';
import { batchGetUsers, findUsers, listUsers, resolveUsernames } from './user.ts';
import { authenticateToken, verifySession } from './verification.ts';

/**
 * What all authenticators on SQL share: sessions, tokens, the directory, groups, setup and the
 * log. `getStore` is asked at each call, and throws NOT_READY before the plugin has started.
 * To be put behind {@link guard} together with the plugin's own methods.
 */
export function createDirectoryMethods(getStore: () => AuthStore): AuthenticatorImplementation {
  const on =
    <Request, Answer>(method: (store: AuthStore, request: Request, context: CallContext) => Promise<Answer>) =>
    async (request: Request, context: CallContext) =>
      method(getStore(), request, context);
  return {
    authenticateToken: on(authenticateToken),

    createSession: on(createSession),
    verifySession: on(verifySession),
    listSessions: on(listSessions),
    revokeSessions: on(revokeSessions),

    createToken: on(createToken),
    listTokens: on(listTokens),
    revokeToken: on(revokeToken),

    getSetup: on(getSetup),
    createSetupCode: on(createSetupCode),
    completeSetup: on(completeSetup),

    createUser: on(createUser),
    batchGetUsers: on(batchGetUsers),
    resolveUsernames: on(resolveUsernames),
    findUsers: on(findUsers),
    listUsers: on(listUsers),
    updateUser: on(updateUser),
    createPlaceholders: on(createPlaceholders),
    claimPlaceholder: on(claimPlaceholder),

    createGroup: on(createGroup),
    listGroups: on(listGroups),
    updateGroup: on(updateGroup),
    deleteGroup: on(deleteGroup),
    listGroupMembers: on(listGroupMembers),
    changeGroupMembers: on(changeGroupMembers),

    listAuditEvents: on(listAuditEvents),
  };
}
