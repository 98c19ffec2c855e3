/** In the order in which code passes through them. */
export const PIPELINE_STAGES = ['development', 'staging', 'production'] as const;
export type PipelineStage = (typeof PIPELINE_STAGES)[number];

export interface PipelineView {
  name: string;
  /** In order; only those that have apps. */
  stages: { stage: PipelineStage; apps: { app: string; release: number | undefined }[] }[];
}

export interface Promotion {
  to: string;
  user: string;
  /** Gets what a release command says. */
  write: (text: string) => void;
  signal: AbortSignal;
}

export interface Pipelines {
  list(): PipelineView[];
  /** Throws `not_found`. */
  find(name: string): PipelineView;
  /** Throws `conflict` for an app that is in one already. */
  add(pipeline: string, app: string, stage: PipelineStage, user: string): PipelineView;
  remove(app: string, user: string): void;
  /** The apps of the stage after this app's. */
  targets(app: string): string[];
  /** The app's current code as a release of a target, with the target's config. Throws as a deploy does. */
  promote(app: string, promotion: Promotion): Promise<void>;
}
