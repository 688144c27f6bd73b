import { listTexts } from '../derive/list-texts.ts'
import { formatPath } from '../problem/problem.ts'
import type { SecretsAndFiles } from '../source/secrets-and-files.ts'

/** What examples and `init` write where a value of one's own belongs. */
const PLACEHOLDER =
  /^<[^<>]+>$|\b(?:REPLACE|CHANGE|INSERT|FILL)[-_ ]?(?:WITH|ME|THIS|IN|HERE)\b|^(?:changeme|replaceme|todo|fixme|placeholder|xxx+|\.{3}|…)$|^(?:your|my)[-_ ](?:[a-z]+[-_ ])*(?:id|secret|key|token|domain|tenant|password|organi[sz]ation)$/i

/** The same as a part of a URL, where `todo` may be a path and `my-company` a name. */
const PLACEHOLDER_IN_URL =
  /^https?:\/\/(?:.*[/.])?(?:<[^<>/]+>|\{[^{}/]+\}|your[-_](?:[a-z]+[-_])*(?:id|domain|tenant|host|server|realm|organi[sz]ation)|(?:REPLACE|CHANGE|INSERT)[-_](?:WITH|ME|THIS|HERE)\b[\w-]*)(?:[:/.]|$)/i

/** Placeholders that were meant to be replaced. The values of secrets are not repeated. */
export function createPlaceholderNotices(config: unknown, { findSecret }: SecretsAndFiles): string[] {
  return listTexts(config, [], findSecret)
    .filter(({ text }) => PLACEHOLDER.test(text.trim()) || PLACEHOLDER_IN_URL.test(text.trim()))
    .map(({ at }) => `${formatPath(at)}: looks like a placeholder. Write the real value.`)
}
