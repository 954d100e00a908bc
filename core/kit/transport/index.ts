export { connectInProcess } from './in-process.ts';
export { MAX_MESSAGE_SIZE } from './message.ts';
