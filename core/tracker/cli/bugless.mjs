#!/usr/bin/env node
import { existsSync } from 'node:fs';
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
// In a checkout the packages are read as sources (--conditions=bugless-source); a release has compiled files.
const sources = import.meta.resolve('@bugless/kit').endsWith('.ts');
// Types stripped once are kept beside the package, where nobody else can put them: later starts are twice as quick.
// What is compiled loads as quickly without, in 8 MiB less of memory.
if (sources) nodeModule.enableCompileCache?.(fileURLToPath(new URL('../node_modules/.cache', import.meta.url)));
const program = new URL(sources ? './main.ts' : '../dist/cli/main.js', import.meta.url);
if (!existsSync(program)) {
  process.stderr.write('bugless: is not built; run: npm run build\n');
  process.exit(1);
}
const { main } = await import(program.href);
await main(process.argv);
