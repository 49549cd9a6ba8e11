import { Option, type Command } from 'commander'
import { checkSiteFile } from './site-check.ts'
import { exportSite, importSite, type ImportOptions } from './site-import.ts'
import { noteText } from './site-import/note.ts'
import { siteJsonSchema } from './site-schema.ts'

const UNUSABLE = 2
const INCOMPLETE = 1
const SEPARATORS: Readonly<Record<string, string>> = { comma: ',', semicolon: ';', tab: '\t' }

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
  site
    .command('import')
    .description('make a site file of NetBox exports or of a spreadsheet, on standard output')
    .argument('<file...>', 'JSON or CSV of NetBox, or CSV with the columns id, kind, needs ...')
    .addOption(
      new Option('--from <format>', 'what the files are; left out, what they look like').choices([
        'netbox',
        'csv',
      ]),
    )
    .option('--merge <site>', 'put it into this site file; what is in no import stays as it is')
    .addHelpText(
      'after',
      `
Of NetBox: power panels, feeds, ports and outlets, cables, devices; from the API (/api/dcim/power-feeds/?limit=0 ...) or exported as CSV.
What was not understood is said on standard error and stands as a comment at the end.

Examples:
  kiestoon-collector site import panels.json feeds.json ports.json outlets.json cables.json devices.json > site.yaml
  kiestoon-collector site export --csv site.yaml > drawing.csv     edit it in a spreadsheet, then
  kiestoon-collector site import drawing.csv --merge site.yaml > new-site.yaml

Exit codes: 0 all is in, 1 something was left out or does not fit, 2 wrong command line or site file.`,
    )
    .action(async (files: string[], options: ImportOptions) => {
      const { text, notes } = await importSite(files, options, terminal.today)
      process.stdout.write(text)
      for (const note of notes) console.error(noteText(note))
      if (notes.some(({ severity }) => severity === 'error')) done(INCOMPLETE)
    })
  site
    .command('export')
    .description('write the drawing of a site file as a table for a spreadsheet')
    .argument('<file>', 'the site file')
    .requiredOption('--csv', 'as CSV, UTF-8')
    .addOption(
      new Option('--separator <word>', 'semicolon for a Dutch or German Excel')
        .choices(Object.keys(SEPARATORS))
        .default('comma'),
    )
    .action(async (file: string, { separator }: { readonly separator: string }) => {
      const { text, notes } = await exportSite(file, SEPARATORS[separator] ?? ',', terminal.today)
      process.stdout.write(text)
      for (const note of notes) console.error(note)
    })
}
