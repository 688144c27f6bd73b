import { type ConfigPath, type Mistake, type Problem, problemAt } from '../problem/problem.ts'

/** A key of the Go proxy's format that means something else here. */
export interface GoNotice {
  /** The old key. */
  readonly key: string
  /** What became of it, with the key to use instead. */
  readonly text: string
}

/** Takes down what a translation has to say. */
export interface GoNotes {
  readonly notices: readonly GoNotice[]
  readonly problems: readonly Problem[]
  readonly note: (key: string, text: string) => void
  readonly refuse: (at: ConfigPath, mistake: Mistake) => void
}

/** Empty notes. */
export function createGoNotes(): GoNotes {
  const notices: GoNotice[] = []
  const problems: Problem[] = []
  const refuse = (at: ConfigPath, mistake: Mistake) => void problems.push(problemAt(at, mistake))
  return {
    notices,
    problems,
    note: (key, text) => void notices.push({ key, text }),
    refuse,
  }
}

/** One line about a notice. */
export function formatGoNotice({ key, text }: GoNotice): string {
  return `${key}: ${text}`
}
