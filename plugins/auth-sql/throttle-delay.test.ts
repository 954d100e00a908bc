import t from 'tap';
import { computeDelay, countTry, forgetFailures, THROTTLE_RULES, type ThrottleState } from './throttle-delay.ts';

const RULE = THROTTLE_RULES.account;

t.test('the delay grows, and ends growing', (t) => {
  t.same(
    [0, 4, 5, 6, 7, 8].map((failures) => computeDelay(RULE, failures)),
    [0, 0, 1_000, 2_000, 4_000, 8_000],
  );
  t.equal(computeDelay(RULE, 1_000_000), RULE.maxMillis);
  t.ok(computeDelay(RULE, 60) === RULE.maxMillis, 'never permanent');
  t.end();
});

t.test('tries count before their outcome, refused ones do not', (t) => {
  let state: ThrottleState | undefined;
  let now = 1_000_000;
  for (let n = 1; n <= RULE.free; n += 1) {
    const next = countTry(RULE, state, now);
    t.equal(next.waitMillis, 0);
    t.equal(next.state.failures, n);
    state = next.state;
  }
  const refused = countTry(RULE, state, now);
  t.equal(refused.waitMillis, 1_000);
  t.equal(refused.state, state, 'knocking makes it no longer');
  now += 999;
  t.equal(countTry(RULE, state, now).waitMillis, 1);
  now += 1;
  const sixth = countTry(RULE, state, now);
  t.equal(sixth.waitMillis, 0);
  t.equal(countTry(RULE, sixth.state, now).waitMillis, 2_000);
  t.end();
});

t.test('failures are forgotten one by one', (t) => {
  const state = { failures: 7, last: 0 };
  t.equal(forgetFailures(RULE, state, RULE.forgetMillis - 1), 7);
  t.equal(forgetFailures(RULE, state, RULE.forgetMillis), 6);
  t.equal(forgetFailures(RULE, state, RULE.forgetMillis * 100), 0);
  t.equal(countTry(RULE, state, RULE.forgetMillis * 100).state.failures, 1);
  t.end();
});

t.test('whoever waits as told gets in, however often others failed', (t) => {
  let state: ThrottleState | undefined;
  let now = 0;
  let longest = 0;
  for (let n = 0; n < 500; n += 1) {
    const { waitMillis } = countTry(RULE, state, now);
    longest = Math.max(longest, waitMillis);
    now += waitMillis;
    const next = countTry(RULE, state, now);
    t.equal(next.waitMillis, 0);
    state = next.state;
  }
  t.equal(longest, RULE.maxMillis);
  t.end();
});

t.test('a clock that goes back locks nobody out', (t) => {
  t.equal(countTry(RULE, { failures: 50, last: 1_000_000_000 }, 5).waitMillis, 0);
  t.end();
});
