// Runs one cell in a kernel of the Jupyter server that this page comes from, and shows the widgets that it displays.

import * as base from '@jupyter-widgets/base';
import { ManagerBase } from '@jupyter-widgets/base-manager';
import { KernelManager, ServerConnection } from '@jupyterlab/services';
import { Widget } from '@lumino/widgets';

const VIEW = 'application/vnd.jupyter.widget-view+json';
const modules = { '@jupyter-widgets/base': base };

class Manager extends ManagerBase {
  constructor(kernel) {
    super();
    this.kernel = kernel;
    kernel.registerCommTarget(this.comm_target_name, (comm, message) =>
      this.handle_comm_open(new base.shims.services.Comm(comm), message)
    );
  }

  async _create_comm(target, id, data, metadata, buffers) {
    const comm = this.kernel.createComm(target, id);
    if (data || metadata) comm.open(data, metadata, buffers);
    return new base.shims.services.Comm(comm);
  }

  async _get_comm_info() {
    return (await this.kernel.requestCommInfo({ target_name: this.comm_target_name })).content.comms;
  }

  async loadClass(name, module) {
    return modules[module][name];
  }

  async show(id) {
    const view = await this.create_view(await this.get_model(id));
    Widget.attach(view.luminoWidget, document.body);
  }
}

// anywidget is published as an AMD module, which such front ends take from a CDN by its name.
globalThis.define = (_, make) => (modules.anywidget = make(base));
await import('anywidget');

globalThis.runCell = async (baseUrl, token, code) => {
  const serverSettings = ServerConnection.makeSettings({ baseUrl, token, appendToken: true });
  const kernel = await new KernelManager({ serverSettings }).startNew({ name: 'python3' });
  const manager = new Manager(kernel);
  const running = kernel.requestExecute({ code });
  const shown = [];
  running.onIOPub = message => {
    const view = message.content.data?.[VIEW];
    if (view) shown.push(manager.show(view.model_id));
    if (message.header.msg_type === 'error') shown.push(Promise.reject(new Error(message.content.evalue)));
  };
  await running.done;
  await Promise.all(shown);
  return () => kernel.shutdown();
};
