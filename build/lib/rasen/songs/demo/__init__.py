"""The songs that the demo and the tests run on."""
