import { type ConfigError, formatProblem } from '../config/problem/problem.ts'
import type { Terminal } from './terminal.ts'
import { wrapHanging } from './wrap.ts'

/** Tells every mistake of a file, with its place and fix. */
export function printProblems({ problems, file }: ConfigError, { tell, paintError }: Terminal): void {
  const count = problems.length === 1 ? 'a mistake' : `${problems.length} mistakes`
  tell(paintError('red', `${file ?? 'The configuration'} has ${count}:`))
  for (const problem of problems) {
    const [place = '', ...lines] = formatProblem(problem, file).split('\n')
    tell('')
    tell(paintError('bold', place))
    for (const line of lines) for (const part of wrapHanging(line)) tell(part)
  }
}
