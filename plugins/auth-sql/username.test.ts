import { ServiceError } from '@bugless/kit/service';
import t from 'tap';
import {
  bendUsername,
  checkAvatar,
  checkDisplayName,
  checkEmail,
  checkUsername,
  MAX_NAME_WORDS,
  splitNameWords,
  splitPrefix,
  toUsernameKey,
} from './username.ts';

const INVALID = { name: 'ServiceError', reason: 'INVALID_FIELD' };

t.test('usernames', (t) => {
  for (const name of ['a', 'Ann', 'ann.lee', 'a_b-c+d@e.org', 'jürgen', '山田', 'x'.repeat(64), '0']) {
    t.equal(checkUsername(name, 'username'), name.normalize('NFKC'));
  }
  for (const name of ['', ' ', 'a b', 'a/b', 'a\0', 'x'.repeat(65), '<b>', 'a\u200bb', '😀', 'a\n']) {
    t.throws(() => checkUsername(name, 'user.username'), INVALID, JSON.stringify(name));
  }
  try {
    checkUsername('a b', 'user.username');
  } catch (error) {
    t.same((error as ServiceError).violations[0]?.field, 'user.username');
    t.ok(error instanceof ServiceError);
  }
  t.equal(toUsernameKey('ANN'), toUsernameKey('ann'));
  t.equal(toUsernameKey('ＡＮＮ'), 'ann', 'full-width letters are the same letters');
  t.equal(toUsernameKey('JÜRGEN'), toUsernameKey('ju\u0308rgen'));
  t.end();
});

t.test('names of other trackers are bent', (t) => {
  const cases: Record<string, string> = {
    'Ann Lee': 'Ann-Lee',
    '': 'user',
    '!!!': 'user',
    '  x  ': 'x',
    'ann@example.org': 'ann@example.org',
    'a\0b': 'a-b',
  };
  for (const [wanted, bent] of Object.entries(cases)) t.equal(bendUsername(wanted), bent);
  t.ok([...bendUsername('é'.repeat(300))].length <= 57, 'room for a number');
  t.doesNotThrow(() => checkUsername(`${bendUsername('🎉 ß/'.repeat(90))}-999999`, ''));
  t.end();
});

t.test('display names, addresses, pictures', (t) => {
  t.equal(checkDisplayName('', 'ann', 'f'), 'ann');
  t.equal(checkDisplayName(' Ann ', 'ann', 'f'), 'Ann');
  t.throws(() => checkDisplayName('a\nb', 'ann', 'f'), INVALID);
  t.throws(() => checkDisplayName('x'.repeat(201), 'ann', 'f'), INVALID);
  t.equal(checkEmail(' ann@example.org ', 'f'), 'ann@example.org');
  t.equal(checkEmail('', 'f'), '');
  for (const wrong of ['ann', 'a@b@c', 'a b@c', '<a@b>', 'a@b\0', `${'x'.repeat(250)}@b.de`]) {
    t.throws(() => checkEmail(wrong, 'f'), INVALID, wrong);
  }
  t.equal(checkAvatar('', 'f'), '');
  t.equal(checkAvatar('https://example.org/a.png', 'f'), 'https://example.org/a.png');
  for (const wrong of ['http://example.org/a', 'javascript:alert(1)', 'x', 'https://u:p@example.org/', 'data:x']) {
    t.throws(() => checkAvatar(wrong, 'f'), INVALID, wrong);
  }
  t.end();
});

t.test('words to be found by', (t) => {
  t.same(splitNameWords('AnnL', 'Ann Lee'), ['annl', 'ann', 'lee']);
  t.same(splitNameWords('jl', 'Jean-Luc (QA)'), ['jl', 'jean-luc', 'jean', 'luc', 'qa']);
  t.same(splitNameWords('o', "Conan O'Brien"), ['o', 'conan', "o'brien", 'brien']);
  const many = Array.from({ length: 60 }, (_, n) => `w${n}`).join(' ');
  t.ok(splitNameWords('u', many).length <= MAX_NAME_WORDS);
  t.same(splitPrefix('  Le  ann '), ['ann', 'le']);
  t.same(splitPrefix('(!)'), []);
  t.same(splitPrefix('Jean-L'), ['jean-l']);
  t.end();
});
