import type { Server } from '@grpc/grpc-js';
import { loadFileDescriptorSetFromBuffer } from '@grpc/proto-loader';
import { ReflectionService } from '@grpc/reflection';
import { readDescriptors } from '../descriptor.ts';
import { describeHealth } from './health.ts';

/** Adds server reflection (v1 and v1alpha), so that tools can list and call the services named. */
export function addReflection(server: Server, services: string[]): void {
  // Serialized messages joined are merged: two sets of files become one.
  const set = Buffer.concat([readDescriptors().bytes, describeHealth()]);
  new ReflectionService(loadFileDescriptorSetFromBuffer(set), { services }).addToServer(server);
}
