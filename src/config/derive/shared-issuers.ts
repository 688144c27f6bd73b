import { isOfManyTenants } from '../../identity/public-users.ts'

/** An issuer that strangers get tokens from, for any audience that they ask for, or whose tokens everybody can get who signs up. */
export interface SharedIssuer {
  /** Who that is, for people. */
  readonly everyone: string
  /** What stands before the name of the owner in `sub`. */
  readonly subjectPrefix: string
  /** Claims that name the owner of a token: no stranger gets the name of another owner there. What a job or its author chooses is none of them. */
  readonly owned: ReadonlySet<string>
  /** Whether its tokens name clients: strangers have some, too. */
  readonly namesClients?: true
  /** Whether its tokens name scopes: then those say nothing of whose they are. */
  readonly namesScopes?: true
  /** Whether its tokens may name groups by themselves: strangers are in some, too. */
  readonly namesGroups?: true
}

const EMAIL = ['email', 'email_domain'] as const

const SHARED: ReadonlyMap<string, SharedIssuer> = new Map<string, SharedIssuer>([
  [
    'https://token.actions.githubusercontent.com',
    {
      everyone: 'every workflow on GitHub',
      subjectPrefix: 'repo:',
      owned: new Set([
        'sub',
        'repository',
        'repository_id',
        'repository_owner',
        'repository_owner_id',
        'enterprise',
        'enterprise_id',
      ]),
    },
  ],
  [
    'https://gitlab.com',
    {
      everyone: 'every job on GitLab',
      subjectPrefix: 'project_path:',
      owned: new Set([
        ...['sub', 'project_path', 'project_id', 'namespace_path', 'namespace_id', 'groups', 'groups_direct'],
        ...EMAIL,
      ]),
      namesGroups: true,
    },
  ],
  [
    'https://agent.buildkite.com',
    {
      everyone: 'every job on Buildkite',
      subjectPrefix: 'organization:',
      owned: new Set(['sub', 'organization_slug', 'organization_id', 'pipeline_id']),
    },
  ],
  ...['https://app.terraform.io', 'https://app.eu.terraform.io'].map((issuer): [string, SharedIssuer] => [
    issuer,
    {
      everyone: 'every run on HCP Terraform',
      subjectPrefix: 'organization:',
      owned: new Set([
        ...['sub', 'terraform_organization_id', 'terraform_organization_name', 'terraform_project_id', 'terraform_workspace_id'],
      ]),
    },
  ]),
  [
    'https://oidc.codefresh.io',
    { everyone: 'every pipeline on Codefresh', subjectPrefix: 'account:', owned: new Set(['sub', 'account_id', 'pipeline_id']) },
  ],
  [
    'https://oidc.vercel.com',
    { everyone: 'every project on Vercel', subjectPrefix: 'owner:', owned: new Set(['sub', 'owner', 'owner_id', 'project_id']) },
  ],
  [
    'https://accounts.google.com',
    {
      everyone: 'every Google account and service account',
      subjectPrefix: '',
      owned: new Set([
        ...['sub', 'hd', ...EMAIL],
        ...['google.compute_engine.project_id', 'google.compute_engine.project_number', 'google.compute_engine.instance_id'],
      ]),
      namesClients: true,
    },
  ],
])

/** Users of all organizations, of none, or both: `oid` and `tid` say whose they are, and addresses are not verified there. */
const MICROSOFT: SharedIssuer = {
  everyone: 'everybody with a Microsoft account',
  subjectPrefix: '',
  owned: new Set(['sub', 'oid', 'tid']),
  namesClients: true,
  namesScopes: true,
  namesGroups: true,
}

/** Issuers of one tenant, organization or cluster are none of these: strangers get no token there. */
export function findSharedIssuer(issuer: string): SharedIssuer | undefined {
  return SHARED.get(issuer.replace(/\/+$/, '')) ?? (isOfManyTenants(issuer) ? MICROSOFT : undefined)
}
