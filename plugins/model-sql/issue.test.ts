import t from 'tap';
import { ALICE, openModel } from './fixture/open-model.ts';

t.test('first', async (t) => {
  const { model } = await openModel(t);
  const { issue } = await model.createIssue(
    { issue: { title: 'Hello', component: '1', description: 'World foo', labels: ['null', 'Crash'] } },
    ALICE,
  );
  console.log(issue);
  console.log(await model.getIssue({ id: issue!.id }, ALICE));
  console.log(
    JSON.stringify(
      await model.updateIssue({ id: issue!.id, comment: 'hi', add: { cc: ['bob'] }, expectedVersion: '1' }, ALICE),
    ),
  );
});
