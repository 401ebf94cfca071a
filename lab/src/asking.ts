// Asking the server one thing at a time: who asks meanwhile has it asked once more, not many times.

export class Asking {
  private going: Promise<void> | null = null;
  private isStale = false;
  private isStopped = false;

  /** `once` asks, and shows what came; it does not throw. */
  constructor(private readonly once: () => Promise<void>) {}

  /** Return when what was asked for, or something newer, is shown. */
  ask(): Promise<void> {
    this.isStale = true;
    return (this.going ??= this.go());
  }

  stop(): void {
    this.isStopped = true;
  }

  private async go(): Promise<void> {
    while (this.isStale && !this.isStopped) {
      this.isStale = false;
      await this.once();
    }
    this.going = null;
  }
}
