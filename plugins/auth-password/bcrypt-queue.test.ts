import { createContext, ServiceError } from '@bugless/kit/service';
import bcrypt from 'bcrypt';
import t from 'tap';
import { BcryptQueue } from './bcrypt-queue.ts';
import { createDummyHashes } from './dummy-hash.ts';

const CONTEXT = createContext();

t.test('it works off in order, and sheds what would wait too long', async (t) => {
  const queue = new BcryptQueue({ concurrency: 1, limit: 2 });
  const done: number[] = [];
  const outcomes = await Promise.allSettled(
    [1, 2, 3, 4, 5].map(async (n) => {
      await queue.hash('password', 6, CONTEXT);
      done.push(n);
    }),
  );
  t.same(done, [1, 2, 3], 'one at work, two waiting');
  t.same(
    outcomes.map(({ status }) => status),
    ['fulfilled', 'fulfilled', 'fulfilled', 'rejected', 'rejected'],
  );
  const refused = outcomes[4] as PromiseRejectedResult;
  t.ok(refused.reason instanceof ServiceError && refused.reason.reason === 'OVERLOADED');
  t.ok((refused.reason as ServiceError).retryAfterMillis! > 0);
  await queue.drain();
  t.equal(queue.size, 0);
});

t.test('who has gone is passed over', async (t) => {
  const queue = new BcryptQueue({ concurrency: 1 });
  const controller = new AbortController();
  const first = queue.hash('password', 8, CONTEXT);
  const gone = queue.hash('password', 8, createContext({ signal: controller.signal }));
  const late = queue.hash('password', 8, createContext({ deadline: Date.now() - 1 }));
  controller.abort();
  await t.rejects(gone, { name: 'ServiceError', reason: 'CANCELLED' } as unknown as Error);
  await t.rejects(late, { name: 'ServiceError', reason: 'DEADLINE_EXCEEDED' } as unknown as Error);
  await first;
});

t.test('the event loop stays free', async (t) => {
  const queue = new BcryptQueue({ concurrency: 1 });
  let ticks = 0;
  const timer = setInterval(() => {
    ticks += 1;
  }, 1);
  await queue.hash('password', 10, CONTEXT);
  clearInterval(timer);
  t.ok(ticks > 5, `${ticks} ticks while one password was hashed`);
});

t.test('a dummy of any cost is a hash that nothing matches', async (t) => {
  const dummies = await createDummyHashes(6);
  t.equal(dummies.cost, 6);
  for (const cost of [4, 5, 6]) {
    t.equal(bcrypt.getRounds(dummies.get(cost)), cost);
    t.notOk(await bcrypt.compare('x', dummies.get(cost)));
  }
});
