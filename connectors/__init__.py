"""Code that speaks one protocol or format each; a feed declaration names one."""
