import { listTexts } from '../derive/list-texts.ts'
import type { CheckContext } from './check-context.ts'

/** What `init` and the samples write where a value of one's own belongs. No real value looks like it. */
const PLACEHOLDER = /\bREPLACE-WITH-/

/** Refuses a configuration that was not finished. */
export function checkPlaceholders({ config, secretsAndFiles, report }: CheckContext): void {
  for (const { at, text } of listTexts(config, [], secretsAndFiles.findSecret)) {
    if (PLACEHOLDER.test(text)) report(at, { reason: 'is a placeholder', fix: 'Write your own value in its place.' })
  }
}
