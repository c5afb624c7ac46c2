"""`static/spark.module.js`: what draws splats in Heliograph's page; its server finds it here."""
