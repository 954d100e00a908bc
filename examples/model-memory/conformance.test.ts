import { conformModel } from '@bugless/kit/conformance';
import t from 'tap';

await conformModel(t, { plugin: '@bugless/example-model-memory' });
