#!/usr/bin/env node
import * as nodeModule from 'node:module';
import { fileURLToPath } from 'node:url';

// Plain JavaScript, so that an old Node gets as far as this message.
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major < 22 || (major === 22 && minor < 18)) {
  process.stderr.write(
    `bugless: needs Node.js 22.18 or newer, and this is ${process.versions.node}. ` +
      'In a checkout, npm ci installs a newer one beside it (was it run with --ignore-scripts? then run: npm rebuild node); ' +
      'elsewhere install Node.js 24.\n',
  );
  process.exit(1);
}
// Compiled code is kept beside the package, where nobody else can put it: later starts are twice as quick.
nodeModule.enableCompileCache?.(fileURLToPath(new URL('../node_modules/.cache', import.meta.url)));
// In a checkout the packages are read as sources (--conditions=bugless-source); a release has compiled files.
const sources = import.meta.resolve('@bugless/kit').endsWith('.ts');
const { main } = await import(sources ? './main.ts' : '../dist/cli/main.js');
await main(process.argv);
