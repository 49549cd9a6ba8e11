import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import tap, { test, type Test } from 'tap'
import { collectorConfig } from '../../collector/config.ts'
import { ConfigError, readConfig } from '../../common/config.ts'
import { runCollector } from '../support/collector-process.ts'

const MIB = 1024 ** 2

// Each command is a process of its own.
tap.setTimeout(120_000)

async function folderOf(t: Test): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'kiestoon-main-'))
  t.teardown(async () => rm(folder, { recursive: true, force: true }))
  return folder
}

test('the command line helps, and says what it did not understand', async (t) => {
  const [help, version, typo, option, nothing] = await Promise.all([
    runCollector('--help'),
    runCollector('--version'),
    runCollector('rnu'),
    runCollector('run', '--confg', 'x'),
    runCollector('run'),
  ])
  t.equal(help.code, 0)
  t.match(help.stdout, /Examples:\n {2}kiestoon-collector run --data/)
  t.match(version, { code: 0, stdout: /^\d+\.\d+\.\d+\n$/ })
  t.match(typo, { code: 2, stdout: '', stderr: /Did you mean run\?/ })
  t.match(option, { code: 2, stdout: '', stderr: /Did you mean --config\?/ })
  t.match(nothing, { code: 2, stdout: '', stderr: /expected --config FILE, or --data FOLDER/ })
})

test('tokens are made, listed and revoked from the command line', async (t) => {
  const data = await folderOf(t)
  const token = async (...args: readonly string[]) => runCollector('token', ...args, '--data', data)
  const made = await token('create', '--agent', 'gw-1', '--site', 'hq')
  t.match(made, { code: 0, stdout: /^kiestoon_[\w-]{43}\n$/, stderr: /shown this once only/ })
  t.match(await token('create', '--role', 'viewer'), { code: 0 })
  t.match(await token('create', '--agent', 'gw-1'), { code: 2, stderr: /expected --site/ })
  t.match(await token('create', '--agent', 'gw 2', '--site', 'hq'), {
    code: 2,
    stderr: /--agent gw 2: expected a name of letters/,
  })
  t.match(await token('create', '--agent', 'gw-2', '--site', 'head office'), {
    code: 2,
    stderr: /--site head office: expected a name of letters/,
  })
  t.match(await token('create', '--role', 'boss'), { code: 2, stderr: /admin, operator or viewer/ })
  t.match(await token('create', '--agent', 'gw-1', '--site', 'b'), { code: 1, stderr: /revoke/ })
  const list = await token('list')
  const [first = '', second = ''] = list.stdout.split('\n')
  t.match(first, /^[0-9a-f]{8} {2}agent {5}gw-1@hq {2}20\d\d-/)
  t.match(second, /^[0-9a-f]{8} {2}viewer {4}- {2}/)
  t.notMatch(list.stdout, made.stdout.trim())
  t.match(await token('revoke', first.slice(0, 8)), { code: 0 })
  t.match(await token('revoke', 'ffffffff'), { code: 1, stderr: /no token ffffffff/ })
  t.match((await token('list')).stdout, /gw-1@hq .* revoked 20/)
})

test('check-config reads everything it names, and says where what is wrong', async (t) => {
  const folder = await folderOf(t)
  const config = join(folder, 'collector.yaml')
  const site = join(folder, 'site.yaml')
  await writeFile(site, 'networks: { hq: { cidr: [10.1.0.0/16] } }\n')
  await writeFile(config, `site-file: ${site}\nnotify: [{ notifier: log }]\n`)
  const good = await runCollector('check-config', '--config', config)
  t.match(good, { code: 0, stderr: '', stdout: /site\.yaml: 1 networks\nalerts by: log/ })
  await writeFile(site, 'networks: { hq: { cidr: [nonsense] } }\n')
  const wrongSite = await runCollector('check-config', '--config', config)
  t.match(wrongSite, { code: 2, stderr: /site\.yaml:1:26: error: networks\.hq\.cidr\.0/ })
  await writeFile(
    config,
    'listen: 8420\nstore: { kind: oracle }\nlimits: { points: 0 }\ncolour: red\n',
  )
  const wrong = await runCollector('check-config', '--config', config)
  t.equal(wrong.code, 2)
  for (const place of ['1:9: listen', '2:', '3:19: limits.points', '4:'])
    t.match(wrong.stderr, `collector.yaml:${place}`)
  t.match(await runCollector('check-config', '--config', join(folder, 'none')), {
    code: 2,
    stderr: /cannot read the configuration/,
  })
})

test('check-config tells of warnings and hints of the site file, and takes it', async (t) => {
  const folder = await folderOf(t)
  const config = join(folder, 'collector.yaml')
  const site = join(folder, 'site.yaml')
  await writeFile(config, `site-file: ${site}\n`)
  await writeFile(site, 'components: { a: {}, b: {} }\nservices: { s: { needs: [a] } }\n')
  const answer = await runCollector('check-config', '--config', config)
  t.match(answer, { code: 0, stderr: '' })
  t.match(answer.stdout, /collector\.yaml is right\./)
  t.match(
    answer.stdout,
    /site\.yaml: no errors, 2 warnings, 2 hints; 2 components, 1 service, 0 networks/,
  )
  t.match(
    answer.stdout,
    /site\.yaml:1:25: warning: components\.b: nothing needs it.* \[unneeded\]\n {4}name it/,
  )
})

test('a site file is checked, exported, imported and described on the command line', async (t) => {
  const folder = await folderOf(t)
  const example = fileURLToPath(new URL('../../collector/site.example.yaml', import.meta.url))
  const checked = await runCollector('site', 'check', example)
  t.match(checked, {
    code: 0,
    stderr: '',
    stdout: /: no errors, 0 warnings, 1 hint; 45 components/,
  })
  const table = join(folder, 'table.csv')
  const exported = await runCollector(
    'site',
    'export',
    '--csv',
    '--separator',
    'semicolon',
    example,
  )
  t.match(exported, { code: 0, stderr: /not in the table: parties, networks/ })
  await writeFile(table, exported.stdout)
  const back = await runCollector('site', 'import', table, '--merge', example)
  t.same({ code: back.code, stderr: back.stderr }, { code: 0, stderr: '' }, 'nothing is different')
  await writeFile(table, 'id,kind,needs\na,ups,b c\n')
  const wrong = await runCollector('site', 'import', table)
  t.match(wrong, { code: 1, stderr: /^table\.csv:2:9: error: needs: between names, write \+/ })
  t.match(wrong.stdout, /\n# table\.csv:2:9: error: needs/)
  await writeFile(table, wrong.stdout.replace('kind: ups', 'kind: ups\n    needs: [b]'))
  const unusable = await runCollector('site', 'check', table)
  t.match(unusable, {
    code: 2,
    stdout: /error: components\.a\.needs\.0.*\n.*: 1 error, cannot be used/,
  })
  t.match(await runCollector('site', 'check', join(folder, 'none')), {
    code: 2,
    stderr: /cannot read the site file/,
  })
  t.match(await runCollector('site', 'import', table, '--from', 'excel'), { code: 2 })
  const { stdout } = await runCollector('site', 'schema')
  t.match(JSON.parse(stdout), { title: 'Kiestoon site file', definitions: { need: {} } })
})

test('the example configuration is right and shows the defaults', async (t) => {
  const file = new URL('../../collector/collector.example.yaml', import.meta.url)
  const text = await readFile(file, 'utf8')
  const example = readConfig(collectorConfig, text, 'collector.example.yaml')
  const defaults = readConfig(collectorConfig, '', 'empty')
  for (const key of [
    'listen',
    'data',
    'store',
    'limits',
    'console',
    'notices',
    'log-level',
  ] as const)
    t.same(example[key], defaults[key], key)
  t.same(
    example.notify.map(({ name }) => name),
    ['log'],
  )
  for (const key of Object.keys(collectorConfig.shape))
    t.match(text, new RegExp(`^(# )?${key}:`, 'm'))
  for (const key of Object.keys(defaults.limits)) t.match(text, `  ${key}: `)
  t.equal(defaults.limits.inflated, 32 * MIB)
})

test('two notifiers of one name are refused', async (t) => {
  t.throws(
    () => readConfig(collectorConfig, 'notify: [{ notifier: log }, { notifier: log }]', 'c.yaml'),
    new ConfigError([
      'c.yaml:1:9: notify: two notifiers have the same name: give each a name of its own',
    ]),
  )
})
