import { spawnSync } from 'node:child_process'
import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Rig } from './rig.ts'
import { SCENES, TRUTH_FILE, type Scene } from './scenes.ts'

/** Records the captures the tests are held against: `npm run captures [-- NAME ...]`, as root. */

const TARGET = fileURLToPath(new URL('../../test/fixtures/captures/', import.meta.url))

const wanted = process.argv.slice(2)
const scenes = SCENES.filter(({ name }) => wanted.length === 0 || wanted.includes(name))
if (process.getuid?.() !== 0) {
  console.error('network namespaces need root')
  process.exit(1)
}
await mkdir(TARGET, { recursive: true })
for (const scene of scenes) await record(scene)

async function record(scene: Scene): Promise<void> {
  console.log(`${scene.name}: ${scene.about}`)
  const folder = await mkdtemp(join(tmpdir(), 'kiestoon-capture-'))
  const rig = await Rig.open(folder)
  try {
    const file = join(folder, `${scene.name}.pcap`)
    const [space, device] =
      scene.tap === 'router' ? (['router', 'any'] as const) : (['callee', 'eth0'] as const)
    const stop = await rig.record(space, device, file)
    await scene.play(rig)
    await stop()
    const packed = join(TARGET, `${scene.name}.pcap.gz`)
    const { status, stdout } = spawnSync('gzip', ['-9nc', file], { maxBuffer: 1 << 28 })
    if (status !== 0) throw new Error('gzip failed')
    await writeFile(packed, stdout)
    if (scene.hasTruth === true)
      await copyFile(join(folder, TRUTH_FILE), join(TARGET, `${scene.name}.truth.json`))
    console.log(`  ${packed}: ${stdout.length} bytes`)
  } finally {
    await rig.close()
    await rm(folder, { recursive: true })
  }
}
