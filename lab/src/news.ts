// What the server tells over Jupyter's own events websocket.

import { Event, ServiceManager } from '@jupyterlab/services';
import { ISignal, Signal } from '@lumino/signaling';

const SCHEMA = 'urn:lockgate:news';

/** One thing that happened in a project; `root` is its folder as Jupyter calls it. */
export interface INews {
  kind: string;
  root: string;
  data: { [name: string]: any };
}

export class News {
  private readonly signal = new Signal<this, INews>(this);

  constructor(services: ServiceManager.IManager) {
    void this.listen(services.events.stream);
  }

  get came(): ISignal<this, INews> {
    return this.signal;
  }

  private async listen(stream: Event.Stream): Promise<void> {
    for await (const emission of stream) {
      if (emission.schema_id === SCHEMA) {
        this.signal.emit(emission as unknown as INews);
      }
    }
  }
}
