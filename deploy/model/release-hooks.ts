/** Commands that run once a release is live, from app.json; they fail without stopping anything. */
export interface ReleaseHooks {
  /** After each release. */
  postdeploy?: string;
  /** After an app's first. */
  firstDeploy?: string;
}
