import type { Loaded } from '../config/load.ts'
import type { Paint } from './style.ts'
import { wrapHanging } from './wrap.ts'

const LABEL = 'notice '

/** What the operator should know. Further lines of a notice stand below its text: terminals would begin them at the edge. */
export function formatNotices(notices: Loaded['notices'], paint: Paint): string[] {
  return notices.flatMap((notice) => {
    const [first = '', ...rest] = wrapHanging(' '.repeat(LABEL.length) + notice)
    return [`${paint('yellow', LABEL.trim())} ${first.trimStart()}`, ...rest]
  })
}
