import { parse } from 'yaml'

/** Texts of the files that name a version. */
export interface ReleaseFiles {
  readonly package: string
  readonly lock: string
  readonly chart: string
  readonly sidecar: string
  readonly changelog: string
}

/** The notes of a release, and what stands in its way. */
export interface Release {
  readonly notes: string
  readonly problems: readonly string[]
}

/**
 * Describes a release by its tag: every file must name its version, and the changelog must have a section for it.
 *
 * @param tag - `v1.2.3`
 * @param repository - where it is published from, `owner/name`; npm refuses the provenance of another one. Undefined outside of CI
 */
export function describeRelease(tag: string, files: ReleaseFiles, repository?: string): Release {
  const version = /^v(\d+\.\d+\.\d+(?:-[\w.]+)?)$/.exec(tag)?.[1]
  if (version === undefined) return { notes: '', problems: [`${JSON.stringify(tag)} is not a tag like v1.2.3.`] }
  const manifest = JSON.parse(files.package) as { version: string; repository: { url: string } }
  const chart = parse(files.chart) as { version: string; appVersion: string }
  const versions = {
    'package.json': manifest.version,
    'package-lock.json': (JSON.parse(files.lock) as { version: string }).version,
    'version of Chart.yaml': chart.version,
    'appVersion of Chart.yaml': chart.appVersion,
    'image of sidecar.yaml': /open-mcp-auth-proxy:(\S+)/.exec(files.sidecar)?.[1],
  }
  const notes = findSection(files.changelog, version)
  const problems = Object.entries(versions).flatMap(([file, own]) =>
    own === version ? [] : [`${file} is ${own ?? 'missing'}, and the tag says ${version}.`],
  )
  if (notes === '') problems.push(`CHANGELOG.md has no section [${version}].`)
  if (repository !== undefined && !manifest.repository.url.endsWith(`/${repository}.git`))
    problems.push(`package.json says that the repository is ${manifest.repository.url}, and this is ${repository}.`)
  return { notes, problems }
}

function findSection(changelog: string, version: string): string {
  const sections = changelog.split(/^## /m)
  const own = sections.find((section) => section.startsWith(`[${version}]`)) ?? ''
  return own.split('\n').slice(1).join('\n').trim()
}
