import { join } from 'node:path';
import type { ServiceError } from '@bugless/kit/service';
import t from 'tap';
import { checkPassword, isHashable, readForbiddenPasswords } from './password-rule.ts';

const RULE = { minLength: 8, forbidden: new Set(['password1']) };

t.test('what a new password has to be', (t) => {
  const accepted = ['12345678', 'x'.repeat(72), 'ä'.repeat(36), '🎉'.repeat(18), 'with spaces in it', ' leading'];
  for (const password of accepted) t.equal(checkPassword(RULE, password, 'ann', 'password'), password);
  t.equal(checkPassword(RULE, 'passwo\u0308rter', 'ann', 'f'), 'passwörter', 'one form for each letter');
  const refused: [string, RegExp][] = [
    ['', /^new_password: is too short; at least 8 characters$/],
    ['1234567', /too short/],
    ['🎉🎉🎉🎉', /too short/],
    ['x'.repeat(73), /^new_password: has 73 bytes in UTF-8; at most 72/],
    ['ä'.repeat(37), /74 bytes/],
    ['12345678\0', /NUL/],
    ['PassWord1', /list/],
    ['Ann-Lee-1', /is the username/],
  ];
  for (const [password, message] of refused) {
    try {
      checkPassword(RULE, password, 'ann-lee-1', 'new_password');
      t.fail(password);
    } catch (error) {
      const { reason, violations } = error as ServiceError;
      t.match((error as Error).message, message);
      t.same([reason, violations[0]!.field], ['WEAK_PASSWORD', 'new_password']);
      if (password.length > 7) t.notOk((error as Error).message.includes(password), 'is not quoted');
    }
  }
  t.end();
});

t.test('what bcrypt cannot tell apart is nobody’s password', (t) => {
  t.ok(isHashable('x'.repeat(72)));
  for (const password of ['', 'x'.repeat(73), 'a\0b']) t.notOk(isHashable(password));
  t.end();
});

t.test('the list of forbidden passwords', async (t) => {
  const folder = t.testdir({ list: 'Password1\r\n\nqwertyuiop\n' });
  t.same(await readForbiddenPasswords(join(folder, 'list')), new Set(['password1', 'qwertyuiop']));
  await t.rejects(readForbiddenPasswords(join(folder, 'none')), {
    message: /^forbiddenPasswordsFile: .*none cannot be read \(ENOENT\); correct the path/,
  } as unknown as Error);
});
