import type { Command } from 'commander'
import { checkSiteFile } from './site-check.ts'
import { siteJsonSchema } from './site-schema.ts'

const UNUSABLE = 2

/** `kiestoon-collector site ...`: what people do with a site file at a desk; no collector need run. */
export function addSiteCommands(
  program: Command,
  terminal: { readonly today: string; readonly isColoured: boolean },
  done: (code: number) => void,
): void {
  const site = program.command('site').description('check, import, export the site file')
  site
    .command('check')
    .description('say what is wrong in a site file, and what somebody should look at')
    .argument('<file>', 'the site file')
    .addHelpText(
      'after',
      `
Every line names file:line:column, whether it is an error, a warning or a hint, and what to do about it.
What each [word] means: collector/topology/SITE-FILE.md.

Exit codes: 0 the file can be used, 2 it cannot.`,
    )
    .action(async (file: string) => {
      const {
        site: read,
        lines,
        summary,
      } = await checkSiteFile(file, terminal.today, terminal.isColoured)
      for (const line of lines) console.log(line)
      console.log(summary)
      if (read === undefined) done(UNUSABLE)
    })
  site
    .command('schema')
    .description('print the JSON schema of the site file, for an editor to complete and check by')
    .addHelpText(
      'after',
      `
  kiestoon-collector site schema > site.schema.json

Then the first line of the site file tells the editor (VS Code with its YAML extension, and others):
  # yaml-language-server: $schema=./site.schema.json`,
    )
    .action(() => {
      console.log(JSON.stringify(siteJsonSchema(), null, 2))
    })
}
