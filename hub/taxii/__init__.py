"""TAXII 2.1 on medallion's blueprints: our Backend, our wiring, our edges. The only place that knows medallion."""
