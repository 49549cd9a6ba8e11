import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { fileURLToPath } from 'node:url'
import { test } from 'tap'
import ts from 'typescript'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const ROOMS = ['agent', 'collector', 'common', 'dashboards', 'lab']

/**
 * Who may import whom. A file belongs to the first row whose pattern it matches; an import is fine when one of `ours` matches its path, or
 * one of `packages` its package. `node:` stands for all of Node's own modules.
 */
const TABLE: readonly { files: RegExp; ours: readonly RegExp[]; packages: readonly string[] }[] = [
  { files: /^common\//, ours: [/^common\//], packages: ['node:', 'zod', 'yaml', 'pino'] },
  { files: /^agent\/rtp\//, ours: [/^agent\/rtp\//], packages: [] },
  {
    files: /^agent\/(capture|sip)\//,
    ours: [/^agent\/(capture|sip)\//, /^common\//],
    packages: ['node:'],
  },
  {
    files: /^agent\/signalling\//,
    ours: [/^agent\/(signalling|capture|sip)\//, /^common\//],
    packages: ['node:', 'zod'],
  },
  {
    files: /^agent\/sip-client\//,
    ours: [/^agent\/(sip-client|sip)\//, /^common\//],
    packages: ['node:', 'zod'],
  },
  {
    files: /^agent\/media\//,
    ours: [/^agent\/(media|signalling|capture|sip|rtp)\//, /^common\//],
    packages: ['node:', 'zod'],
  },
  {
    files: /^agent\/analyze\//,
    ours: [/^agent\/(analyze|media|signalling|capture|rtp)\//, /^agent\/print\.ts$/, /^common\//],
    packages: ['node:', 'zod'],
  },
  {
    files: /^agent\/rtp-test\//,
    ours: [/^agent\/(rtp-test|rtp)\//, /^agent\/capture\/sibling-module\.ts$/, /^common\//],
    packages: ['node:'],
  },
  {
    files: /^agent\/test-call\//,
    ours: [
      /^agent\/(test-call|sip-client|sip|rtp)\//,
      /^agent\/capture\/sibling-module\.ts$/,
      /^common\//,
    ],
    packages: ['node:'],
  },
  {
    files: /^agent\/power\//,
    ours: [/^agent\/power\//, /^common\//],
    packages: ['node:', 'zod', 'net-snmp'],
  },
  {
    files: /^agent\/probes\/index\.ts$/,
    ours: [/^agent\/probes\/[^/]+\.ts$/, /^agent\/probe\.ts$/],
    packages: [],
  },
  {
    files: /^agent\/probes\//,
    ours: [
      /^agent\/probe\.ts$/,
      /^agent\/(media|signalling|capture|rtp|rtp-test|test-call|sip|sip-client|power)\//,
      /^common\//,
    ],
    packages: ['node:', 'zod', 'ping', 'systeminformation'],
  },
  {
    files: /^agent\//,
    ours: [
      /^agent\/[^/]+\.ts$/,
      /^agent\/probes\/index\.ts$/,
      /^agent\/analyze\/command\.ts$/,
      /^common\//,
    ],
    packages: ['node:', 'zod', 'yaml', 'commander'],
  },
  {
    files: /^collector\/evaluate\//,
    ours: [/^collector\/(evaluate|topology)\//, /^common\//],
    packages: ['zod'],
  },
  {
    files: /^collector\/topology\//,
    ours: [/^collector\/topology\//, /^common\//],
    packages: ['zod'],
  },
  {
    files: /^collector\/site-import\//,
    ours: [/^collector\/(site-import|topology)\//, /^collector\/evaluate\/words\.ts$/, /^common\//],
    packages: ['zod', 'yaml'],
  },
  {
    files: /^collector\/store\//,
    ours: [/^collector\/store\//, /^common\//],
    packages: ['node:', 'zod', '@duckdb/node-api', '@duckdb/node-bindings', 'influx'],
  },
  {
    files: /^collector\/notify\//,
    ours: [
      /^collector\/notify\//,
      /^collector\/evaluate\/(breach|evaluator|words)\.ts$/,
      /^common\//,
    ],
    packages: ['node:', 'zod', 'nodemailer'],
  },
  {
    files: /^collector\/http\//,
    ours: [
      /^collector\/http\//,
      /^collector\/(ingest|live|state-file)\.ts$/,
      /^collector\/store\/store\.ts$/,
      /^collector\/(evaluate|topology)\//,
      /^common\//,
    ],
    packages: [
      'node:',
      'zod',
      'fastify',
      '@fastify/helmet',
      '@fastify/rate-limit',
      '@fastify/static',
    ],
  },
  {
    files: /^collector\/console\//,
    ours: [/^collector\/console\//, /^collector\/http\/(overview(-change)?|power-view)\.ts$/],
    packages: ['preact', 'uplot', '@dagrejs/dagre'],
  },
  {
    files: /^collector\//,
    ours: [/^collector\//, /^common\//],
    packages: ['node:', 'zod', 'commander', 'yaml'],
  },
  {
    files: /^dashboards\//,
    ours: [/^dashboards\//, /^common\//],
    packages: ['node:', '@grafana/grafana-foundation-sdk', 'yaml', 'prettier'],
  },
  {
    files: /^lab\//,
    ours: [/^(lab|agent|collector|common)\//],
    packages: ['node:', 'commander', 'yaml', 'zod'],
  },
]

/** Packages that one file only may import, so that they can be exchanged there. */
const ONLY_IN: Readonly<Record<string, string>> = {
  ping: 'agent/probes/ping.ts',
  systeminformation: 'agent/probes/host.ts',
  '@duckdb/node-api': 'collector/store/duckdb',
  '@duckdb/node-bindings': 'collector/store/duckdb-chunk.ts',
  influx: 'collector/store/influx',
  nodemailer: 'collector/notify/email.ts',
  'net-snmp': 'agent/power/',
}

test('every import goes in the direction of the table', async (t) => {
  const faults: string[] = []
  for (const { file, imported } of allImports()) {
    const row = TABLE.find(({ files }) => files.test(file))
    if (!row) {
      faults.push(`${file} is in no row of the table`)
      continue
    }
    const allowed = imported.ours
      ? row.ours.some((pattern) => pattern.test(imported.name))
      : row.packages.some((name) => name === packageOf(imported.name))
    if (!allowed) faults.push(`${file} may not import ${imported.name}`)
    const only = imported.ours ? undefined : ONLY_IN[packageOf(imported.name)]
    if (only !== undefined && !file.startsWith(only))
      faults.push(`${file}: only ${only} may import ${imported.name}`)
  }
  t.strictSame(faults, [])
})

test('no probe imports another probe', async (t) => {
  const faults = allImports().filter(
    ({ file, imported }) =>
      /^agent\/probes\//.test(file) &&
      file !== 'agent/probes/index.ts' &&
      /^agent\/probes\/[^/]+\.ts$/.test(imported.name) &&
      !/-worker\.ts$/.test(imported.name),
  )
  t.strictSame(faults, [])
})

test('what lies in common/ is used by both the agent and the collector', async (t) => {
  const imports = allImports()
  const users = (room: string): Set<string> => {
    const seen = new Set<string>()
    const queue = imports.filter(({ file }) => file.startsWith(`${room}/`))
    for (const { imported } of queue) {
      if (!imported.ours || !imported.name.startsWith('common/') || seen.has(imported.name))
        continue
      seen.add(imported.name)
      queue.push(...imports.filter(({ file }) => file === imported.name))
    }
    return seen
  }
  const [byAgent, byCollector] = [users('agent'), users('collector')]
  const lonely = sourceFiles()
    .filter((file) => file.startsWith('common/'))
    .filter((file) => !byAgent.has(file) || !byCollector.has(file))
  t.strictSame(lonely, [])
})

test('only main.ts, workers and the lab end the process', async (t) => {
  const faults = sourceFiles().filter(
    (file) =>
      !/(^|\/)main\.tsx?$|-worker\.ts$|^lab\//.test(file) &&
      /\bprocess\.exit\(|process\.exitCode\s*=/.test(readFileSync(join(ROOT, file), 'utf8')),
  )
  t.strictSame(faults, [])
})

test('the lock file is whole and names no download address', async (t) => {
  const lock: unknown = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8'))
  const packages = new Map(Object.entries(recordOf(recordOf(lock)['packages'])))
  const faults: string[] = []
  for (const [path, entry] of packages) {
    const { resolved, dependencies, optionalDependencies } = recordOf(entry)
    if (typeof resolved === 'string' && resolved.startsWith('http'))
      faults.push(`${path}: ${resolved}`)
    for (const name of Object.keys({
      ...recordOf(dependencies),
      ...recordOf(optionalDependencies),
    })) {
      if (!resolves(path, name, packages))
        faults.push(`${path} needs ${name}, which the lock file lacks`)
    }
  }
  t.strictSame(faults, [])
})

interface Import {
  readonly file: string
  readonly imported: { readonly name: string; readonly ours: boolean }
}

function allImports(): Import[] {
  return sourceFiles().flatMap((file) => {
    const { importedFiles } = ts.preProcessFile(readFileSync(join(ROOT, file), 'utf8'), true, true)
    return importedFiles
      .filter(({ fileName }) => !fileName.endsWith('.css'))
      .map(({ fileName }) => {
        const ours = fileName.startsWith('.')
        return {
          file,
          imported: { name: ours ? normalize(join(dirname(file), fileName)) : fileName, ours },
        }
      })
  })
}

function sourceFiles(): string[] {
  return ROOMS.flatMap((room) =>
    readdirSync(join(ROOT, room), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && /\.tsx?$/.test(entry.name))
      .map((entry) => join(entry.parentPath, entry.name).slice(ROOT.length)),
  )
}

function packageOf(name: string): string {
  if (name.startsWith('node:')) return 'node:'
  return name
    .split('/')
    .slice(0, name.startsWith('@') ? 2 : 1)
    .join('/')
}

function resolves(from: string, name: string, packages: ReadonlyMap<string, unknown>): boolean {
  for (
    let folder = from;
    ;
    folder = folder.slice(0, Math.max(0, folder.lastIndexOf('node_modules/') - 1))
  ) {
    if (packages.has(`${folder === '' ? '' : `${folder}/`}node_modules/${name}`)) return true
    if (folder === '') return false
  }
}

function recordOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? { ...value } : {}
}
