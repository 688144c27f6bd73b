// What a release needs before anything is published: `node scripts/release.ts v1.2.3` prints its notes, the section of CHANGELOG.md, or
// says what is missing and ends with 1.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describeRelease, type ReleaseFiles } from './release/describe-release.ts'

const root = join(import.meta.dirname, '..')
const read = (path: string): string => readFileSync(join(root, path), 'utf8')
const files: ReleaseFiles = {
  package: read('package.json'),
  lock: read('package-lock.json'),
  chart: read('deploy/helm/open-mcp-auth-proxy/Chart.yaml'),
  sidecar: read('deploy/kubernetes/sidecar.yaml'),
  changelog: read('CHANGELOG.md'),
}
const { notes, problems } = describeRelease(process.argv[2] ?? '', files, process.env.GITHUB_REPOSITORY)
for (const problem of problems) console.error(problem)
if (problems.length === 0) console.log(notes)
process.exitCode = problems.length === 0 ? 0 : 1
