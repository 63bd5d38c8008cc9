"""What headrace decides: specs, graph, keys, plan, records. It never acts; standard library only."""
