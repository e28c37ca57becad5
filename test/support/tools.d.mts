export interface Tool {
  readonly package: string;
  readonly commands: readonly string[];
}
export declare const TOOLS: readonly Tool[];
export declare function findCommand(...commands: readonly string[]): string | undefined;
export declare function requireTool(name: string): string;
