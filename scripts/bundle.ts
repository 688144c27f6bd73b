// Writes the command of the package as a few files, `dist/command/`: `npm run build` runs it. Node spends more time on finding and reading
// hundreds of modules than on running them. Beside it, `dist/` has a module for each source: programs that use the API import those.
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { rolldown } from 'rolldown'
import { escapeWide } from './bundle/escape-wide.ts'
import { formatLicenses } from './bundle/format-licenses.ts'

const root = join(import.meta.dirname, '..')
/** Where the package has it, or where a test wants it. */
const folder = process.argv[2] ?? join(root, 'dist/command')
/** Loaded from `node_modules`, by the configurations that need them. */
const EXTERNAL = [/^node:/, /^redis$/, /^oidc-provider(?:\/|$)/, /^pino-pretty$/, /^@opentelemetry\//]

rmSync(folder, { recursive: true, force: true })
const bundle = await rolldown({
  input: {
    main: join(root, 'src/cli/main.ts'),
    'body-worker': join(root, 'src/pipeline/body-worker.ts'),
    'argument-worker': join(root, 'src/policy/expression/argument-worker.ts'),
  },
  platform: 'node',
  external: EXTERNAL,
  resolve: { alias: { undici: join(root, 'scripts/bundle/undici.mjs') } },
  // Leaves out undici's second parser, an experiment, as undici itself does for the copy that Node has.
  transform: { define: { esbuildDetection: 'true' } },
  plugins: [{ name: 'escape wide characters', renderChunk: escapeWide }],
  checks: { pluginTimings: false },
  // An import that does not resolve, or a name that a module lacks, stops the build.
  onLog: (_level, { message }) => {
    throw new Error(message)
  },
})
const { output } = await bundle.write({ dir: folder, format: 'esm', minify: false, chunkFileNames: '[name].js' })
await bundle.close()
const modules = output.flatMap((file) => (file.type === 'chunk' ? file.moduleIds : []))
writeFileSync(join(folder, 'LICENSES.txt'), formatLicenses(modules))
