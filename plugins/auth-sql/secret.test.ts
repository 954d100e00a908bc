import t from 'tap';
import { createOpaqueSecret, createTokenSecret, hashSecret, isOpaqueSecret, isTokenSecret } from './secret.ts';

t.test('a token has its form, and a checksum that notices one wrong character', (t) => {
  for (let n = 0; n < 200; n += 1) {
    const token = createTokenSecret();
    t.match(token, /^bl_[0-9A-Za-z]{43}[0-9A-Za-z]{6}$/);
    t.ok(isTokenSecret(token));
  }
  const token = createTokenSecret();
  for (let at = 0; at < token.length; at += 1) {
    const wrong = token.slice(0, at) + (token[at] === 'x' ? 'y' : 'x') + token.slice(at + 1);
    t.notOk(isTokenSecret(wrong), `changed at ${at}`);
  }
  for (const text of ['', 'bl_', token.slice(1), `${token}0`, token.toUpperCase(), ` ${token}`, `${token}\n`]) {
    t.notOk(isTokenSecret(text), JSON.stringify(text));
  }
  t.end();
});

t.test('a known token stays valid: the form is a promise to scanners of leaked secrets', (t) => {
  t.ok(isTokenSecret('bl_000000000000000000000000000000000000000000046BClH'));
  t.end();
});

t.test('other secrets have 256 bits, fit a URL and are stored as SHA-256', (t) => {
  const secrets = new Set(Array.from({ length: 1000 }, createOpaqueSecret));
  t.equal(secrets.size, 1000);
  for (const secret of secrets) if (!isOpaqueSecret(secret)) t.fail(secret);
  t.notOk(isOpaqueSecret(''));
  t.notOk(isOpaqueSecret(`${createOpaqueSecret()}=`));
  t.equal(hashSecret('abc').toString('hex'), 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
  t.end();
});
