import { promises as fs } from 'node:fs';
import path from 'node:path';
import { createSystemContext } from '@bugless/kit/service';
import { type Command, Option } from 'commander';
import type { SourceReader } from '../import/source.ts';
import { print, withPlugins } from './session.ts';

interface ImportFlags {
  readonly source?: string;
  readonly into: string;
  readonly keepIds?: boolean;
  readonly dryRun?: boolean;
  readonly pulls?: boolean;
  readonly report?: string;
}

/** `bugless import`: issues of other trackers, with their history. */
export function addImportCommand(program: Command): void {
  const group = program
    .command('import')
    .description('bring issues of another tracker here; may be repeated and resumed');
  addReader(
    group,
    'bugzilla-xml',
    "Bugzilla's XML: a folder of files, one file, or a .tar, .tar.gz or .tar.xz",
    async (file) => {
      const { BugzillaXmlReader } = await import('../import/bugzilla-xml.ts');
      return new BugzillaXmlReader(file);
    },
  );
  addReader(
    group,
    'bugzilla-html',
    'a static copy of a Bugzilla site (show_bug and show_activity of each bug), with the whole history: a folder or a .tar of any packing',
    async (file) => {
      const { BugzillaHtmlReader } = await import('../import/bugzilla-html.ts');
      return new BugzillaHtmlReader(file);
    },
  );
  addReader(
    group,
    'github',
    "GitHub: REST files (NNN-main.json, NNN-comments.json), or the IETF tools' archive.json; packed or not",
    async (file, flags) => {
      const { GitHubReader } = await import('../import/github.ts');
      return new GitHubReader(file, { pulls: flags.pulls ?? true });
    },
  ).addOption(new Option('--no-pulls', 'leave pull requests out'));
}

function addReader(
  group: Command,
  name: string,
  description: string,
  open: (file: string, flags: ImportFlags) => Promise<SourceReader>,
): Command {
  return group
    .command(name)
    .description(description)
    .argument('<path>', 'what to read')
    .option(
      '--source <name>',
      'name under which these issues are known again (default: the kind and the name of the path)',
    )
    .option('--into <component>', 'id of the component under which their components go', '0')
    .option('--keep-ids', 'give issues the number that they had')
    .option('--dry-run', 'read and check everything, write nothing')
    .option('--report <file>', 'also write the report there, with every refusal and disagreement named')
    .action(async (file: string, flags: ImportFlags, command: Command) => {
      const { statBundle } = await import('../import/bundle.ts');
      // Before a database is made for nothing.
      await statBundle(file);
      const reader = await open(file, flags);
      const source = flags.source ?? `${name}:${path.basename(file).replace(/\.(tar\.|t)?(xz|gz|tar|xml|json)$/, '')}`;
      await withPlugins(command, async ({ plugins, identity }) => {
        const { importIssues } = await import('../import/importer.ts');
        const { ProgressBar } = await import('../import/progress-bar.ts');
        const bar = new ProgressBar(process.stderr);
        const started = performance.now();
        const report = await importIssues({
          reader,
          source,
          model: plugins.model,
          authenticator: identity.withCapability('directory'),
          context: createSystemContext(),
          into: flags.into,
          keepIds: flags.keepIds ?? false,
          dryRun: flags.dryRun ?? false,
          onProgress: (soFar) => bar.show(reader.progress(), soFar.read),
        }).finally(() => bar.finish());
        const seconds = (performance.now() - started) / 1000;
        if (flags.report !== undefined) {
          await fs.writeFile(flags.report, `${report.format(seconds, flags.dryRun ?? false, true)}\n`);
        }
        print(report.format(seconds, flags.dryRun ?? false));
        if (report.refused.length > 0) process.exitCode = 1;
      });
    });
}
